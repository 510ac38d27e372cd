// Package roombench measures what forwarding media costs: Muster's SFU beside
// plain pion, each as a process of its own, with the same clients, in turns.
package roombench
