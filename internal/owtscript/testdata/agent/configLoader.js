'use strict';
// A loader in the manner of OWT's: it reads ./agent.toml, computes what the
// file does not say, and prints.
const fs = require('fs');
module.exports.load = () => {
  console.log('ENV: noise on stdout');
  const text = fs.readFileSync('./agent.toml').toString();
  const max = /max_load = ([0-9.]+)/.exec(text);
  process.env.LD_LIBRARY_PATH = '/opt/plugins:' + (process.env.LD_LIBRARY_PATH || '');
  return {
    agent: { maxProcesses: 13, prerunProcesses: 3 },
    cluster: { name: 'studio', worker: { ip: '192.0.2.7', join_retry: 7,
      load: { max: max ? Number(max[1]) : 0.85, period: 500, item: { name: 'gpu' } } } },
    capacity: { isps: ['telco'], regions: [], video: { encode: ['vp8', 'h264_CB'], decode: ['vp8'] }, algorithms: ['face'] },
    video: { hardwareAccelerated: true, codecs: { encode: ['vp8', 'h264_CB'], decode: ['vp8'] } },
    recording: { initializeTimeout: 3000 }, webrtc: { io_workers: 8, hostname: 'gate.example', port: 8443 },
  };
};
