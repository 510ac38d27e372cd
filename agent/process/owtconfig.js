// Runs before a node of OWT and completes its arguments. The configuration, which
// may hold the password of RabbitMQ, comes in a file without a name: every user of
// the machine can read a command line.
'use strict';
const fs = require('fs');

const fd = Number(process.env.MUSTER_CONFIG_FD);
delete process.env.MUSTER_CONFIG_FD;
if (fd > 0) {
  process.argv[4] = fs.readFileSync(fd, 'utf8');
  fs.closeSync(fd);
}
