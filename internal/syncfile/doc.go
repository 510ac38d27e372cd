// Package syncfile makes what is written to a file durable with as few writes to
// the disk as the system allows.
package syncfile
