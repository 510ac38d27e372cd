// Package rtcload is clients of an SFU without a browser: publishers that send
// made-up media, and subscribers that count what they get. Tests and
// measurements use them. What is sent is not a picture; an SFU does not decode.
package rtcload
