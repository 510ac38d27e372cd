// Copyright (C) <2018> Intel Corporation
//
// SPDX-License-Identifier: Apache-2.0

'use strict';

export {ConferenceClient} from './client.js';
export {SioSignaling} from './signaling.js';
