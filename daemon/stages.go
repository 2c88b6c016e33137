package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// actor is one long-lived part: a name for errors and a function that runs until its context is done.
type actor struct {
	name string
	run  func(context.Context) error
}

// stages runs groups of actors. Later stages stand on earlier ones: they are started after them, and when
// the whole is to end, they end before them. Nothing of it outlives the last call of stop.
type stages struct {
	failed chan error // the first failure of an actor, capacity 1
	up     []*stage
}

// stage is one running group.
type stage struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// newStages returns an empty sequence.
func newStages() *stages { return &stages{failed: make(chan error, 1)} }

// start runs a further stage. An actor that returns before its stage is stopped has failed, and ends all.
func (s *stages) start(actors ...actor) {
	ctx, cancel := context.WithCancel(context.Background())
	st := &stage{cancel: cancel}
	for _, a := range actors {
		st.wg.Go(func() {
			err := a.run(ctx)
			if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
				return
			}
			if err == nil {
				err = errors.New("ended by itself")
			}
			if !strings.HasPrefix(err.Error(), a.name+": ") { // some packages say their name themselves
				err = fmt.Errorf("%s: %w", a.name, err)
			}
			select {
			case s.failed <- err:
			default: // only the first failure explains the end
			}
		})
	}
	s.up = append(s.up, st)
}

// stop ends all stages, the last one first, and waits for each.
func (s *stages) stop() {
	for i := len(s.up) - 1; i >= 0; i-- {
		s.up[i].cancel()
		s.up[i].wg.Wait()
	}
	s.up = nil
}

// failure returns the first failure so far, or nil.
func (s *stages) failure() error {
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}
