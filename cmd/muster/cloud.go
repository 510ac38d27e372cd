package main

import (
	"cmp"
	"context"
	"time"

	"github.com/muster-fleet/muster/internal/cascading"
)

// lastReports is how long a manager that ends tries to send what the cloud has
// not heard yet.
const lastReports = 2 * time.Second

// openCloud begins to report to the cloud of [cascading].
func (h *managerProcess) openCloud() (*cascading.Cloud, error) {
	tls, err := h.cfg.CascadingTLS()
	if err != nil {
		return nil, err
	}
	c := h.cfg.Cascading
	return cascading.Open(cascading.Options{
		URL: c.URL.Reveal(), Region: c.Region, ClusterID: cmp.Or(c.ClusterID, h.cfg.Manager.Name), TLS: tls, Logger: h.log,
	})
}

// closeCloud reports that the cluster ends where no other manager goes on.
func (h *managerProcess) closeCloud(last bool) {
	if last {
		h.cloud.Unregister()
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastReports)
	defer cancel()
	h.cloud.Close(ctx)
}
