// Package httpapi serves a cluster over HTTP: the API under /v1 with its description,
// the events as a stream, the page, health and metrics.
//
// It asks the cluster over the message queue as any client does, and knows no manager
// and no state, so that it runs beside a manager or anywhere else on the queue. Every
// write thus passes the one set of rules that the managers have. The price is a hop.
//
//	browser, curl ──▶ guard ──▶ /v1 ──▶ Cluster (package client) ──▶ queue ──▶ leader
//	                    │        └──▶ hub: events of the queue, the last of them kept
//	                    └──▶ the page, /healthz, /readyz, /metrics
//
// guard decides who gets in: hosts and origins, connections, tokens and roles, and how
// often each caller may ask.
package httpapi
