package roombench

import "slices"

// summary is the medians of the turns of a server.
func summary(shape, kind string, turns map[string][]turn) Result {
	r := Result{
		Shape: shape, Server: kind,
		PerCPUSecond: median(turns[kind], func(t turn) float64 { return t.perCPU }),
		CPU:          median(turns[kind], func(t turn) float64 { return t.cpu }),
		Lost:         median(turns[kind], func(t turn) float64 { return t.lost }),
		Memory:       int64(median(turns[kind], func(t turn) float64 { return float64(t.memory) })),
		Growth:       int64(median(turns[kind], func(t turn) float64 { return float64(t.growth) })),
	}
	for other, ratio := range map[string]*float64{Plain: &r.Ratio, LiveKit: &r.ToLiveKit} {
		if rate := median(turns[other], func(t turn) float64 { return t.perCPU }); rate > 0 {
			*ratio = r.PerCPUSecond / rate
		}
	}
	return r
}

func median(turns []turn, of func(turn) float64) float64 {
	if len(turns) == 0 {
		return 0
	}
	var values []float64
	for _, t := range turns {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
