// Package nearest finds the word that was probably meant by a misspelled one.
package nearest

import "strings"

// Word returns the word that was probably meant by got, or "" if none is close:
// up to a third of the letters may differ, and two in a short word.
func Word(got string, words []string) string {
	best, least := "", -1
	for _, word := range words {
		d := Distance(strings.ToLower(got), strings.ToLower(word))
		if d <= max(2, len(word)/3) && d < len(word) && (least < 0 || d < least) {
			best, least = word, d
		}
	}
	return best
}

// Distance returns how many letters must be inserted, deleted, replaced, or
// swapped with their neighbour, to turn a into b.
func Distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	rows := make([][]int, len(from)+1)
	for i := range rows {
		rows[i] = make([]int, len(to)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			replace := 1
			if from[i-1] == to[j-1] {
				replace = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+replace)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(from)][len(to)]
}
