package repeat

import "testing"

func TestDueAtGrowingIntervals(t *testing.T) {
	var c Counter
	logged := 0
	for range 70 {
		if _, due := c.Due("refused"); due {
			logged++
		}
	}
	if logged != 7 {
		t.Errorf("70 refusals are logged %d times, want 7", logged)
	}
	c.Reset()
	if n, due := c.Due("refused"); n != 1 || !due {
		t.Errorf("after a reset: %d, %v", n, due)
	}
}
