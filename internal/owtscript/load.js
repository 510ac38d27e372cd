'use strict';
// Runs in the directory of an OWT program. It hands the configuration that the
// program's own loader makes, or the credentials of its own store, to Muster on
// file descriptor 3: a loader prints what it likes on the others.
const fs = require('fs');
const path = require('path');
const [what, file] = process.argv.slice(1);
const local = (name) => require(path.resolve(name));
const hand = (value) => fs.writeSync(3, JSON.stringify(value));

if (what === 'credentials') {
  const cipher = local('./cipher');
  cipher.unlock(cipher.k, cipher.astore, (err, store) => {
    if (err) throw err;
    hand(store);
  });
} else {
  // The loader reads ./agent.toml; another file may have been named.
  const read = fs.readFileSync;
  fs.readFileSync = (name, ...rest) => read(name === './agent.toml' && file ? file : name, ...rest);
  const exists = (name) => fs.existsSync(path.resolve(name + '.js'));
  const config = local(exists('./configLoader') ? './configLoader' : './defaultConfigLoader').load();
  hand({ config, libraries: process.env.LD_LIBRARY_PATH || '' });
}
