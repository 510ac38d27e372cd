// Package muster is the vocabulary of a manager of real-time media fleets: what
// a worker, a task, a preference and a placement are, and the words in which
// the rest of the module speaks about them. It holds values only, and imports
// nothing but the standard library.
//
//   - A worker is a program that takes tasks of one purpose (webrtc, video,
//     recording ...).
//   - A task is what is placed on a worker. Its caller names it; the name is
//     unique within its purpose.
//   - A preference is what a task asks of its worker.
//   - A reservation holds a worker for a task until the worker picks the task
//     up or the time has passed.
//   - A debit is the load that a placement adds to its worker at once, before
//     the worker itself reports it.
//
// The wire on which these travel is that of OWT server (Open WebRTC Toolkit);
// docs/owt.md says how closely it is followed.
package muster
