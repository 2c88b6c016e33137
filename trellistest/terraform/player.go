package terraform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmespath/go-jmespath"
)

// Client calls an operation as one of AWS's SDKs does. Inputs and outputs are named as AWS's models name them. What the
// service refuses is a *Refusal.
type Client func(ctx context.Context, service, operation string, in map[string]any) (Answer, error)

// Answer is what an operation answers.
type Answer struct {
	Output map[string]any
	Status int // of HTTP
}

// Refusal is the error of a service, as a client understood it.
type Refusal struct {
	Code    string
	Message string
	Status  int // of HTTP
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%s (%d): %s", r.Code, r.Status, r.Message) }

// Player plays configurations with one client.
type Player struct {
	Accounts map[string]Client // by the name that steps give; "" is the configuration's own
	Vars     map[string]any    // what all steps may mention: region, account
	Report   func(error)       // is told of each thing that Terraform would stumble over; the play goes on where it can
}

const (
	// waitLimit bounds one waiter. The provider's limits are minutes; Trellis settles in less than a second when nothing is amiss.
	waitLimit = time.Minute
	// pollInterval is the time between two polls of a waiter.
	pollInterval = 50 * time.Millisecond
)

// instance is a resource while it is played.
type instance struct {
	*Resource
	vars map[string]any // its arguments, and what was saved
}

// phase names what is played, for messages.
func (i *instance) phase(name string) string { return fmt.Sprintf("%s.%s: %s", i.Type, i.As, name) }

// Play makes all resources of a configuration, reads them twice, updates them, reads them, imports them, checks them, deletes
// them, and deletes them again.
func (p *Player) Play(ctx context.Context, c *Configuration) {
	globals := maps.Clone(p.Vars)
	var made []*instance
	defer func() {
		for _, i := range slices.Backward(made) {
			p.remove(ctx, i, globals)
		}
	}()
	for n := range c.Resources {
		i := &instance{Resource: &c.Resources[n], vars: map[string]any{}}
		if err := p.set(i, i.Set, globals); err != nil {
			p.Report(fmt.Errorf("%s: %w", i.phase("arguments"), err))
			return
		}
		made = append(made, i)
		if err := p.steps(ctx, i, "create", i.Create, globals, nil); err != nil {
			p.Report(err)
			return
		}
		p.read(ctx, i, "read", globals)
	}
	for _, i := range made {
		p.read(ctx, i, "second read", globals)
	}
	for _, i := range made {
		for n, u := range i.Updates {
			phase := fmt.Sprintf("update %d", n+1)
			if err := p.set(i, u.Set, globals); err != nil {
				p.Report(fmt.Errorf("%s: %w", i.phase(phase), err))
				continue
			}
			if err := p.steps(ctx, i, phase, u.Calls, globals, nil); err != nil {
				p.Report(err)
			}
			p.read(ctx, i, "read after "+phase, globals)
		}
	}
	for _, i := range made {
		p.read(ctx, i, "read after all updates", globals)
		for _, id := range i.Import {
			p.imported(ctx, i, id, globals)
		}
		if err := p.steps(ctx, i, "check", i.Check, globals, nil); err != nil {
			p.Report(err)
		}
	}
}

// set gives a resource arguments, and tells the others.
func (p *Player) set(i *instance, args, globals map[string]any) error {
	if args == nil {
		return nil
	}
	filled, err := fill(generic(args), scope(globals, i.vars))
	if err != nil {
		return err
	}
	i.know(filled.(map[string]any), globals)
	return nil
}

// know keeps variables of a resource, for itself and for others.
func (i *instance) know(vars, globals map[string]any) {
	for k, v := range vars {
		i.vars[k], globals[i.As+"."+k] = v, v
	}
}

// read refreshes a resource: its identity is that of its first import.
func (p *Player) read(ctx context.Context, i *instance, phase string, globals map[string]any) {
	var known map[string]any
	if len(i.Import) > 0 {
		id, err := fillMap(generic(i.Import[0]).(map[string]any), scope(globals, i.vars))
		if err != nil {
			p.Report(fmt.Errorf("%s: %w", i.phase(phase), err))
			return
		}
		known = scope(globals, i.vars, id)
	}
	if err := p.steps(ctx, i, phase, i.Read, globals, known); err != nil {
		p.Report(err)
	}
}

// imported reads a resource that nothing is known of but an identity: no other variable may stand in an input, unless the
// import's own reads saved it.
func (p *Player) imported(ctx context.Context, i *instance, id map[string]string, globals map[string]any) {
	known, err := fillMap(generic(id).(map[string]any), scope(globals, i.vars))
	if err != nil {
		p.Report(fmt.Errorf("%s: %w", i.phase("import"), err))
		return
	}
	if err := p.steps(ctx, i, fmt.Sprintf("import of %v", known), i.Read, globals, scope(p.Vars, known)); err != nil {
		p.Report(err)
	}
}

// remove deletes a resource, and deletes it again.
func (p *Player) remove(ctx context.Context, i *instance, globals map[string]any) {
	if err := p.steps(ctx, i, "delete", i.Delete, globals, nil); err != nil {
		p.Report(err)
		return
	}
	if len(i.Gone) == 0 {
		return
	}
	for _, s := range i.Delete {
		if s.Wait == nil && len(s.Codes) == 0 && s.Race == 0 {
			s.Save, s.Want, s.Is, s.Status = nil, nil, nil, 0
			var r *Refusal
			if err := p.step(ctx, i, s, globals, nil); err != nil && !(errors.As(err, &r) && slices.Contains(i.Gone, r.Code)) {
				p.Report(fmt.Errorf("%s: %w", i.phase("second delete"), err))
			}
		}
	}
}

// steps plays steps. known, when there is some, is all that their inputs may mention, and grows by what they save.
func (p *Player) steps(ctx context.Context, i *instance, phase string, steps []Step, globals, known map[string]any) error {
	for _, s := range steps {
		err := p.step(ctx, i, s, globals, known)
		var d drift
		if errors.As(err, &d) {
			p.Report(fmt.Errorf("%s: %w", i.phase(phase), err))
		} else if err != nil {
			return fmt.Errorf("%s: %w", i.phase(phase), err)
		}
	}
	return nil
}

// drift is what an answer has other than was asked for. The play goes on after it.
type drift []string

// Error implements error.
func (d drift) Error() string { return "drift: " + strings.Join(d, "; ") }

// step plays one step.
func (p *Player) step(ctx context.Context, i *instance, s Step, globals, known map[string]any) error {
	all := scope(globals, i.vars)
	inputs := all
	if known != nil {
		inputs = known
	}
	err := p.call(ctx, s, inputs, all, func(saved map[string]any) {
		i.know(saved, globals)
		if known != nil {
			maps.Copy(known, saved)
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.Call, err)
	}
	return nil
}

// call makes a step's call, as often as it says.
func (p *Player) call(ctx context.Context, s Step, inputs, all map[string]any, save func(map[string]any)) error {
	client, ok := p.Accounts[s.Account]
	if !ok {
		return fmt.Errorf("no account %s", s.Account)
	}
	in, err := fillMap(s.With, inputs)
	if err != nil {
		return err
	}
	service, operation, _ := strings.Cut(s.Call, " ")
	ctx, stop := context.WithTimeout(ctx, waitLimit)
	defer stop()
	if s.Race > 0 {
		answer, err := s.raced(func() (Answer, error) { return client(ctx, service, operation, in) })
		if err != nil {
			return fmt.Errorf("%w\n\tinput %v", err, in)
		}
		return s.answered(answer, all, save)
	}
	for seen := 0; ; {
		answer, err := client(ctx, service, operation, in)
		out := answer.Output
		var r *Refusal
		again := errors.As(err, &r) && slices.Contains(s.Retry, r.Code)
		if !again && r != nil && len(s.Codes) > 0 {
			return s.refused(r)
		} else if !again && err != nil {
			return fmt.Errorf("%w\n\tinput %v", err, in)
		}
		state := ""
		if again {
			state = r.Code
		} else if s.Wait != nil {
			v, err := jmespath.Search(s.Wait.Path, out)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Wait.Path, err)
			}
			switch state, _ = v.(string); {
			case state == "" && len(s.Wait.Target) == 0:
				return nil
			case slices.Contains(s.Wait.Target, state):
				seen++
			case slices.Contains(s.Wait.Pending, state):
				seen = 0
			default:
				return fmt.Errorf("waiting: unexpected state %q, wanted %v after %v: %v", state, s.Wait.Target, s.Wait.Pending, out)
			}
		} else if len(s.Codes) > 0 {
			return fmt.Errorf("answered, and was to be refused with %v: %v", s.Codes, out)
		}
		if !again && s.Wait == nil || seen == 2 {
			return s.answered(answer, all, save)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still %q after %v", state, waitLimit)
		case <-time.After(pollInterval):
		}
	}
}

// raced makes a call many times at once, and returns the one answer that there may be, or one of the answers that are alike.
func (s *Step) raced(call func() (Answer, error)) (Answer, error) {
	type end struct {
		answer Answer
		err    error
	}
	ends := make(chan end)
	for range s.Race {
		go func() {
			answer, err := call()
			ends <- end{answer, err}
		}()
	}
	var answers []Answer
	var errs []error
	for range s.Race {
		switch e := <-ends; {
		case e.err == nil:
			answers = append(answers, e.answer)
		default:
			var r *Refusal
			if !errors.As(e.err, &r) || s.refused(r) != nil {
				errs = append(errs, e.err)
			}
		}
	}
	switch {
	case len(errs) > 0:
		return Answer{}, fmt.Errorf("%d of %d at once ended otherwise, one with %w", len(errs), s.Race, errs[0])
	case len(answers) == 0 || len(s.Codes) > 0 && len(answers) > 1:
		return Answer{}, fmt.Errorf("%d of %d at once were answered: %v", len(answers), s.Race, answers)
	}
	for _, path := range s.Save {
		first, err := jmespath.Search(path, answers[0].Output)
		if err != nil {
			return Answer{}, fmt.Errorf("%s: %w", path, err)
		}
		for _, a := range answers[1:] {
			if other, _ := jmespath.Search(path, a.Output); other != first {
				return Answer{}, fmt.Errorf("%s is %v and %v", path, first, other)
			}
		}
	}
	return answers[0], nil
}

// refused compares a refusal with the one that is expected.
func (s *Step) refused(r *Refusal) error {
	if !slices.Contains(s.Codes, r.Code) || s.Status != 0 && s.Status != r.Status || !strings.Contains(r.Message, s.Message) {
		return fmt.Errorf("%w\n\twanted %v (%d) with %q", r, s.Codes, s.Status, s.Message)
	}
	return nil
}

// answered saves of an answer, and compares it.
func (s *Step) answered(answer Answer, all map[string]any, save func(map[string]any)) error {
	out, saved := answer.Output, map[string]any{}
	for name, path := range s.Save {
		v, err := jmespath.Search(path, out)
		if err != nil || v == nil {
			return fmt.Errorf("save %s: nothing at %s in %v (%v)", name, path, out, err)
		}
		if text, ok := v.(string); ok { // the provider keeps Route 53's ids bare
			v = strings.TrimPrefix(strings.TrimPrefix(text, "/hostedzone/"), "/change/")
		}
		saved[name] = v
	}
	save(saved)
	maps.Copy(all, saved)
	var d drift
	if s.Status != 0 && s.Status != answer.Status {
		d = append(d, fmt.Sprintf("HTTP status %d, not %d", answer.Status, s.Status))
	}
	if s.Want != nil {
		want, err := fill(generic(s.Want), all)
		if err != nil {
			return err
		}
		d = append(d, differences("", want, out)...)
	}
	for _, path := range slices.Sorted(maps.Keys(s.Is)) {
		want, err := fill(generic(s.Is[path]), all)
		if err != nil {
			return err
		}
		got, err := jmespath.Search(path, out)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		d = append(d, differences(path, want, got)...)
	}
	if len(d) > 0 {
		return d
	}
	return nil
}
