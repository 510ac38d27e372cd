package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/muster-fleet/muster/internal/syncfile"
)

// disk is what the disk allows: the least that a cluster must do to keep a claim is
// to write it to as many files as there are servers, and to sync most of them. There
// is no network, and no decision.
type disk struct {
	servers *servers
	logs    []*diskLog
	running sync.WaitGroup
}

const (
	// claimBytes is about what Muster's log takes for a claim.
	claimBytes = 200
	// diskBytes is allocated ahead, and written again and again.
	diskBytes = 16 << 20
)

// diskLog is a file with a goroutine that writes to it.
type diskLog struct {
	file   *os.File
	claims chan chan<- error // where to say that a claim is safe
}

func startDisk(_ context.Context, o Options, n int) (contender, error) {
	s, err := newServers(o.Disk)
	if err != nil {
		return nil, err
	}
	d := &disk{servers: s}
	for i := range n {
		file, err := os.Create(filepath.Join(s.dir, fmt.Sprint("disk-", i)))
		if err == nil {
			_ = syncfile.Extend(file, 0, diskBytes) // or it grows
			err = file.Sync()
		}
		if err != nil {
			d.close()
			return nil, err
		}
		l := &diskLog{file: file, claims: make(chan chan<- error, 1024)}
		d.logs = append(d.logs, l)
		d.running.Go(l.run)
	}
	return d, nil
}

// run writes what waits, and syncs it together.
func (l *diskLog) run() {
	record := make([]byte, claimBytes)
	for at := int64(0); ; {
		var waiting []chan<- error
		for done := range l.claims {
			waiting = append(waiting, done)
			if len(l.claims) == 0 {
				break
			}
		}
		if len(waiting) == 0 {
			return
		}
		var err error
		for range waiting {
			if err == nil {
				_, err = l.file.WriteAt(record, at)
			}
			at = (at + claimBytes) % (diskBytes - claimBytes)
		}
		if err == nil {
			err = syncfile.Sync(l.file)
		}
		for _, done := range waiting {
			done <- err
		}
	}
}

func (d *disk) claim(_ context.Context, _ int, _ string) (int, error) {
	safe := make(chan error, len(d.logs))
	for _, l := range d.logs {
		l.claims <- safe
	}
	for range len(d.logs)/2 + 1 {
		if err := <-safe; err != nil {
			return 1, err
		}
	}
	return 1, nil
}

func (d *disk) connect(context.Context, int) error { return nil }

func (d *disk) close() {
	for _, l := range d.logs {
		close(l.claims)
	}
	d.running.Wait()
	for _, l := range d.logs {
		_ = l.file.Close()
	}
	d.servers.close()
}
