// Package compose makes one picture and one sound of many: it arranges tiles,
// draws them, and adds sounds up. It has no clock, no goroutine and no I/O.
package compose
