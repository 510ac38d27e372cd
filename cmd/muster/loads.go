package main

import (
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/worker/load"
)

const loadUsage = "what counts as load, a comma-separated list of `sources`: of the machine cpu, memory, disk[=PATH], network[=INTERFACE], gpu or processes=N, or own, the processor time of this program alone; of several the worst"

// loadSource reads --load.
func loadSource(names []string) (load.Source, error) {
	var sources []load.Source
	for _, text := range names {
		source, err := oneLoad(text)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	if len(sources) == 1 {
		return sources[0], nil
	}
	return load.Worst(sources...), nil
}

func oneLoad(text string) (load.Source, error) {
	name, of, _ := strings.Cut(text, "=")
	switch name {
	case "cpu":
		return load.CPU(), nil
	case "memory":
		return load.Memory(), nil
	case "disk":
		if of == "" {
			of = "/"
		}
		return load.Disk(of), nil
	case "network":
		return load.Network(of, 0), nil
	case "gpu":
		return load.GPU(), nil
	case "processes":
		return processLoad(of)
	case "own":
		return load.Own(), nil
	}
	return nil, cli.Usagef("--load: unknown load %q: use cpu, memory, disk, network, gpu, processes=N or own", name)
}

func processLoad(limit string) (load.Source, error) {
	n, err := strconv.Atoi(limit)
	if err != nil || n <= 0 {
		return nil, cli.Usagef("--load: processes needs the most there may be, as in processes=10, not %q", limit)
	}
	return load.Processes(n), nil
}
