package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// gpuProgram is NVIDIA's tool, which comes with the driver.
const gpuProgram = "nvidia-smi"

// GPU is the worst of the use of NVIDIA's graphics cards and of their memory,
// as reported by nvidia-smi. Where that program is absent, or prints nothing usable,
// every call is an error that says so.
func GPU() Source { return sourceFunc(gpuLoad) }

func gpuLoad(ctx context.Context) (float64, error) {
	path, err := exec.LookPath(gpuProgram)
	if err != nil {
		return 0, fmt.Errorf("load: GPU needs %s in PATH: install NVIDIA's driver, or leave GPU out: %w", gpuProgram, err)
	}
	cmd := exec.CommandContext(ctx, path,
		"--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")
	// A tool that hangs in the driver is left behind rather than waited for.
	cmd.WaitDelay = time.Second
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("load: %s: %w: %s", gpuProgram, err, firstLine(complaint.Bytes(), out))
	}
	return parseGPU(string(out))
}

// firstLine finds a word of explanation: nvidia-smi complains on standard
// output as often as on standard error.
func firstLine(outputs ...[]byte) string {
	for _, o := range outputs {
		if line, _, _ := strings.Cut(strings.TrimSpace(string(o)), "\n"); line != "" {
			return line
		}
	}
	return "it gave no reason"
}

// parseGPU reads a line a card: use in percent, memory used, memory there is.
// A field that the card does not support, as in "[N/A]", counts for nothing.
func parseGPU(out string) (float64, error) {
	high, found := 0.0, false
	for line := range strings.Lines(out) {
		f := strings.Split(line, ",")
		if len(f) != 3 {
			continue
		}
		for _, load := range cardLoads(f) {
			high, found = max(high, load), true
		}
	}
	if !found {
		return 0, errors.New("load: " + gpuProgram + " reports no utilization: " + firstLine([]byte(out)))
	}
	return clamp(high)
}

func cardLoads(fields []string) []float64 {
	var loads []float64
	if use, ok := number(fields[0]); ok {
		loads = append(loads, use/100)
	}
	used, ok := number(fields[1])
	total, known := number(fields[2])
	if ok && known && total > 0 {
		loads = append(loads, used/total)
	}
	return loads
}

func number(field string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	return n, err == nil
}
