package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// parts ties the parts of the cluster together: when one ends, all end, because
// half a control plane only produces riddles in tests.
type parts struct {
	ctx  context.Context
	fail context.CancelCauseFunc
}

func newParts(ctx context.Context) *parts {
	ctx, fail := context.WithCancelCause(ctx)
	return &parts{ctx: ctx, fail: fail}
}

// run starts one part, which is expected to last as long as the cluster.
func (p *parts) run(name string, part func() error) {
	go func() {
		err := part()
		if err == nil {
			err = errors.New("ended without an error")
		}
		p.fail(fmt.Errorf("%s: %w", name, err))
	}()
}

// wait returns why the cluster ends: the error of the part that ended first, or
// the end of the context that the parts were started in.
func (p *parts) wait() error {
	<-p.ctx.Done()
	return context.Cause(p.ctx)
}

// until polls a local server, whose answer costs about a millisecond. A part that
// ends meanwhile ends the wait, with its own error.
func (p *parts) until(what string, condition wait.ConditionWithContextFunc) error {
	err := wait.PollUntilContextTimeout(p.ctx, 25*time.Millisecond, startTimeout, true, condition)
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("waited until %s: %w", what, err)
	}
	return nil
}
