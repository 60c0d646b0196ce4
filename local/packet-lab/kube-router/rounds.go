package main

import (
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// roundLabel is what the lab counts up, on one pod, one namespace and one policy,
// after each group of changes.
const roundLabel = "packet-lab/round"

// quietTime is how long no sync must follow the last. One that was requested
// meanwhile starts within microseconds.
const quietTime = 20 * time.Millisecond

// rounds finds out when the changes of a round are enforced. Each kind of object
// comes over a watch of its own, in order: once the markers of all three kinds
// have arrived, so has every earlier change. A full sync that starts then enforces
// all of them.
type rounds struct {
	arrived chan sighting
	last    []int // by watch
}

// sighting is a marker that arrived over a watch.
type sighting struct {
	watch, round int
}

func newRounds() *rounds {
	return &rounds{arrived: make(chan sighting)}
}

// sightings is the handler for the watch of one kind.
func (r *rounds) sightings() cache.ResourceEventHandler {
	watch := len(r.last)
	r.last = append(r.last, 0)
	see := func(object any) {
		labelled, ok := object.(metav1.Object)
		if !ok {
			return
		}
		if round, err := strconv.Atoi(labelled.GetLabels()[roundLabel]); err == nil {
			r.arrived <- sighting{watch, round}
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, object any) { see(object) }}
}

// follow reports each round once it is enforced, beginning with round 0, which is
// what the cluster held at the start. A round is enforced when a full sync has
// ended that started after its markers had arrived, and no other sync follows:
// while one runs, its sets are new already and its rules are not.
func (r *rounds) follow(syncs syncs, requestSync func(), report func(round int) error) error {
	underWay, synced, enforced := -1, -1, -1
	var quiet <-chan time.Time
	for {
		select {
		case seen := <-r.arrived:
			r.last[seen.watch] = max(r.last[seen.watch], seen.round)
			if r.complete() > max(synced, underWay) {
				requestSync()
			}
		case <-syncs.started:
			underWay, quiet = r.complete(), nil
		case <-syncs.ended:
			synced = max(synced, underWay)
			quiet = time.After(quietTime)
		case <-quiet:
			if synced > enforced {
				enforced = synced
				if err := report(enforced); err != nil {
					return err
				}
			}
		}
	}
}

// complete is the last round that arrived over every watch.
func (r *rounds) complete() int {
	return slices.Min(r.last)
}
