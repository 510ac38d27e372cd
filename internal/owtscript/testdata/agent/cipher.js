'use strict';
// A store in plain text, with the interface of OWT's.
const fs = require('fs');
module.exports = { k: 'key', astore: '.owt.authstore', unlock: (key, file, cb) => cb(null, JSON.parse(fs.readFileSync(file))) };
