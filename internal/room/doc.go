// Package room is a room as a value, and the words in which portals,
// conference and SFUs speak of it.
package room
