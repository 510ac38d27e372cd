package main

import (
	"fmt"

	"github.com/muster-fleet/muster/internal/bench"
	"github.com/muster-fleet/muster/internal/cli"
)

var placeColumns = []cli.Column[bench.PlaceResult]{
	cli.Col("strategy", func(r bench.PlaceResult) string { return string(r.Strategy) }),
	cli.Col("workers", func(r bench.PlaceResult) string { return cli.Thousands(int64(r.Workers)) }),
	cli.Col("tasks", func(r bench.PlaceResult) string { return cli.Thousands(int64(r.Tasks)) }),
	cli.Col("placed/s", func(r bench.PlaceResult) string { return cli.Thousands(r.PerS) }),
	cli.Col("p50", func(r bench.PlaceResult) string { return cli.ShortTime(r.P50) }),
	cli.Col("p99", func(r bench.PlaceResult) string { return cli.ShortTime(r.P99) }),
	cli.Col("max ÷ mean", func(r bench.PlaceResult) string { return fmt.Sprintf("%.3f", r.MaxOverMean) }),
	cli.Col("of load", func(r bench.PlaceResult) string { return fmt.Sprintf("%.3f", r.LoadMaxOverMean) }),
	cli.Col("bytes/task", func(r bench.PlaceResult) string { return cli.Thousands(r.BytesPerTask) }),
	cli.Col("failed", func(r bench.PlaceResult) string { return cli.Failures(r.Failed, r.Reason) }),
}

var rpcColumns = []cli.Column[bench.RPCResult]{
	cli.Col("queue", func(r bench.RPCResult) string { return r.Bus }),
	cli.Col("workers", func(r bench.RPCResult) string { return cli.Thousands(int64(r.Workers)) }),
	cli.Col("cpu/sign", func(r bench.RPCResult) string { return cli.ShortTime(r.SignCPU) }),
	cli.Col("in flight", func(r bench.RPCResult) string { return cli.Thousands(int64(r.Inflight)) }),
	cli.Col("via", func(r bench.RPCResult) string { return string(r.Via) }),
	cli.Col("batch", func(r bench.RPCResult) string { return cli.Thousands(int64(r.Batch)) }),
	cli.Col("ceiling/s", func(r bench.RPCResult) string { return cli.Thousands(r.CeilingPerS) }),
	cli.Col("placed/s", func(r bench.RPCResult) string { return cli.Thousands(r.PlacementsPerS) }),
	cli.Col("ratio", func(r bench.RPCResult) string { return fmt.Sprintf("%.2f", r.Ratio) }),
	cli.Col("÷ first", func(r bench.RPCResult) string { return fmt.Sprintf("%.2f", r.OfFirst) }),
	cli.Col("cpu ÷ first", func(r bench.RPCResult) string { return fmt.Sprintf("%.2f", r.OfFirstCPU) }),
	cli.Col("quartiles", func(r bench.RPCResult) string { return fmt.Sprintf("%.2f–%.2f", r.RatioLow, r.RatioHigh) }),
	cli.Col("ceiling p50", func(r bench.RPCResult) string { return cli.ShortTime(r.CeilingP50) }),
	cli.Col("p50", func(r bench.RPCResult) string { return cli.ShortTime(r.P50) }),
	cli.Col("ceiling p99", func(r bench.RPCResult) string { return cli.ShortTime(r.CeilingP99) }),
	cli.Col("p99", func(r bench.RPCResult) string { return cli.ShortTime(r.P99) }),
	cli.Col("ceiling cpu", func(r bench.RPCResult) string { return cli.ShortTime(r.CeilingCPU) }),
	cli.Col("cpu", func(r bench.RPCResult) string { return cli.ShortTime(r.CPU) }),
	cli.Col("failed", func(r bench.RPCResult) string { return cli.Failures(r.Failed, r.Reason) }),
}
