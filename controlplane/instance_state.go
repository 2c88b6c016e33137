package controlplane

import (
	"context"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// terminatedVisible is how long a terminated instance is shown before it is swept. AWS says "a short
// interval (usually less than one hour)".
const terminatedVisible = 10 * time.Minute

// StateChange is what Start, Stop and Terminate answer of one instance.
type StateChange struct {
	ID                string
	Previous, Current string
}

// StartInstances starts stopped instances. One that runs already is left alone.
func (p *Plane) StartInstances(ctx context.Context, c EC2Call, ids []string) ([]StateChange, trellis.Revision, error) {
	return p.changeState(ctx, c, "StartInstances", ids, func(i *trellis.Instance) (string, error) {
		switch i.State {
		case trellis.InstancePending, trellis.InstanceRunning:
			return i.State, nil
		case trellis.InstanceStopped:
			return trellis.InstancePending, nil
		}
		return "", ec2Error("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be started.", i.ID)
	})
}

// StopInstances stops instances. They keep their addresses.
func (p *Plane) StopInstances(ctx context.Context, c EC2Call, ids []string) ([]StateChange, trellis.Revision, error) {
	return p.changeState(ctx, c, "StopInstances", ids, func(i *trellis.Instance) (string, error) {
		switch i.State {
		case trellis.InstanceStopping, trellis.InstanceStopped:
			return i.State, nil
		case trellis.InstancePending, trellis.InstanceRunning:
			if i.DisableAPIStop {
				return "", ec2Error("OperationNotPermitted", "The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", i.ID)
			}
			return trellis.InstanceStopping, nil
		}
		return "", ec2Error("IncorrectInstanceState", "This instance '%s' is not in a state from which it can be stopped.", i.ID)
	})
}

// TerminateInstances ends instances, all or none. One that is ending already is left alone.
func (p *Plane) TerminateInstances(ctx context.Context, c EC2Call, ids []string) ([]StateChange, trellis.Revision, error) {
	return p.changeState(ctx, c, "TerminateInstances", ids, func(i *trellis.Instance) (string, error) {
		switch {
		case i.State == trellis.InstanceShuttingDown || i.State == trellis.InstanceTerminated:
			return i.State, nil
		case i.DisableAPITermination:
			return "", ec2Error("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", i.ID)
		}
		return trellis.InstanceShuttingDown, nil
	})
}

// changeState moves instances to the state that to gives, in one transaction.
func (p *Plane) changeState(ctx context.Context, c EC2Call, action string, ids []string, to func(*trellis.Instance) (string, error)) ([]StateChange, trellis.Revision, error) {
	arns := make([]string, len(ids))
	for n, id := range ids {
		arns[n] = p.ec2ARN(c, "instance/"+id)
	}
	if len(ids) == 0 {
		return nil, 0, missingParameter("InstanceId")
	}
	var out []StateChange
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, arns...); err != nil {
			return err
		}
		out = nil
		if err := instancesExist(tx, c.account(), ids); err != nil {
			return err
		}
		instances, err := queried[*trellis.Instance](tx, idInstance, c.account(), ids)
		if err != nil {
			return err
		}
		for _, i := range instances {
			next, err := to(i)
			if err != nil {
				return err
			}
			out = append(out, StateChange{i.ID, i.State, next})
			if next == i.State {
				continue
			}
			if err := p.setState(tx, i, next); err != nil {
				return err
			}
		}
		return nil
	})
	return out, rev, err
}

// setState moves an instance to a state. A terminated one has neither role nor network left.
func (p *Plane) setState(tx *store.Tx, i *trellis.Instance, state string) error {
	i.State, i.StateChangedAt = state, p.now()
	i.UpdatedAt = i.StateChangedAt
	if state == trellis.InstanceTerminated {
		dissociate(tx, i)
		if err := p.leaveInterfaces(tx, i); err != nil {
			return err
		}
		if err := p.leaveVolumes(tx, i); err != nil {
			return err
		}
	}
	tx.Put(i)
	return nil
}

// settledStates are the states that follow by themselves, once the node has done what a state asks for.
var settledStates = map[string]string{trellis.InstancePending: trellis.InstanceRunning, trellis.InstanceStopping: trellis.InstanceStopped, trellis.InstanceShuttingDown: trellis.InstanceTerminated}

// nextInstance is what is still to be done about an instance: leave a state in passing once the node carries
// it, and disappear when it has been terminated for a while.
func (p *Plane) nextInstance(i *trellis.Instance) *settling {
	seen := i.State
	if follows, ok := settledStates[seen]; ok {
		return &settling{step: func(tx *store.Tx) (bool, error) {
			now, err := store.Get[*trellis.Instance](tx, i.Key())
			if err == nil && now.State == seen {
				err = p.setState(tx, now, follows)
			}
			return false, err
		}}
	}
	if seen != trellis.InstanceTerminated {
		return nil
	}
	return &settling{at: i.StateChangedAt.Add(terminatedVisible), step: func(tx *store.Tx) (bool, error) {
		now, err := store.Get[*trellis.Instance](tx, i.Key())
		if err == nil && now.State == trellis.InstanceTerminated {
			releaseEC2ID(tx, now.ID)
			tx.Delete(now)
		}
		return false, err
	}}
}
