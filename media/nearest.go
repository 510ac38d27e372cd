package media

import "strings"

// nearest returns the word that was probably meant by got, "" if none is near:
// two letters may be wrong, and in a long word a third of them.
func nearest(got string, words []string) string {
	best, least := "", -1
	for _, word := range words {
		d := distance(strings.ToLower(got), strings.ToLower(word))
		if d <= max(2, len(word)/3) && d < len(word) && (least < 0 || d < least) {
			best, least = word, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replace := above[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, above[j+1]+1, row[j]+1)
		}
		above = row
	}
	return above[len(b)]
}

// oneOf says what is wrong where got is not one of the words.
func oneOf(field, got string, words []string) error {
	for _, w := range words {
		if got == w {
			return nil
		}
	}
	if near := nearest(got, words); near != "" {
		return fault(field, "%q is unknown: did you mean %q?", got, near)
	}
	return fault(field, "%q is unknown: there are %s", got, strings.Join(words, ", "))
}
