// Copyright (C) <2018> Intel Corporation
//
// SPDX-License-Identifier: Apache-2.0

'use strict';

export * from './mediastream-factory.js';
export * from './stream.js';
export * from './mediaformat.js';
export * from './transport.js';
