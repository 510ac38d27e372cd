package bench

import "testing"

func TestQuartiles(t *testing.T) {
	low, high := quartiles([]float64{1, 4, 2, 3, 5}, []float64{1, 1, 1, 1, 1})
	if low != 2 || high != 4 {
		t.Errorf("got %g and %g, want 2 and 4", low, high)
	}
	if low, high = quartiles([]float64{1}, []float64{0}); low != 0 || high != 0 {
		t.Errorf("got %g and %g of nothing", low, high)
	}
}
