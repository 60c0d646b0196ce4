package main

import (
	"github.com/cloudnativelabs/kube-router/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/pkg/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// syncs tells when the controller starts and ends a full sync of its rules. The
// channels have no buffer: the controller goes on when it has been heard.
type syncs struct {
	started chan *healthcheck.ControllerHeartbeat
	ended   chan struct{}
}

// watchSyncs must be called before the controller is made. Its heartbeat is the
// start of a sync; that it observes how long a sync took is the end.
func watchSyncs() syncs {
	watched := syncs{started: make(chan *healthcheck.ControllerHeartbeat), ended: make(chan struct{})}
	metrics.ControllerIptablesSyncTime = syncTime{metrics.ControllerIptablesSyncTime, watched.ended}
	return watched
}

// syncTime is the controller's own metric, which also tells of each observation.
type syncTime struct {
	prometheus.Histogram
	observed chan<- struct{}
}

func (s syncTime) Observe(seconds float64) {
	s.Histogram.Observe(seconds)
	s.observed <- struct{}{}
}
