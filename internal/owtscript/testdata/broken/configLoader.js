module.exports.load = () => { console.error('Parsing config error on line 3, column 1: bad'); process.exit(1); };
