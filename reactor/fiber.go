package reactor

import (
	"container/heap"
	"errors"
	"iter"
	"time"
)

// fibersKept bounds the fibers that a loop keeps for later.
const fibersKept = 64

// ErrTimeout says that a wait lasted longer than it may.
var ErrTimeout = errors.New("i/o timeout")

// Task is what a fiber does. Run may wait (Conn.Read, Loop.Await); the loop serves others meanwhile.
type Task interface{ Run() }

// fiber is a coroutine that runs one Task after another.
type fiber struct {
	l     *Loop
	task  Task
	err   error // how the wait ended
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	awaited *Signal // while Await waits for it
	timer   timer   // that ends this wait
}

// Go runs a task on a fiber: at once when it is called by the loop, soon when it is called by a fiber.
func (l *Loop) Go(t Task) {
	var f *fiber
	if n := len(l.free); n > 0 {
		f = l.free[n-1]
		l.free = l.free[:n-1]
		l.spareFibers = min(l.spareFibers, n-1)
	} else {
		f = &fiber{l: l}
		f.timer = timer{f: f.late, heap: -1}
		f.next, f.stop = iter.Pull(f.run)
		l.fibers++
	}
	f.task = t
	if l.current == nil {
		l.resume(f)
	} else {
		l.ready = append(l.ready, f)
	}
}

// run is the fiber's life.
func (f *fiber) run(yield func(struct{}) bool) {
	f.yield = yield
	for {
		f.task.Run()
		f.task = nil
		if len(f.l.free) >= fibersKept {
			f.l.fibers--
			return
		}
		f.l.free = append(f.l.free, f)
		if !yield(struct{}{}) {
			return
		}
	}
}

// resume lets a fiber go on until it waits or has ended.
func (l *Loop) resume(f *fiber) {
	l.current = f
	f.next()
	l.current = nil
}

// suspend makes the current fiber wait until somebody resumes it, and returns what they say of it.
func (l *Loop) suspend() error {
	f := l.current
	if f == nil {
		panic("reactor: waiting outside of a fiber")
	}
	f.err = nil
	f.yield(struct{}{})
	return f.err
}

// wake makes a fiber go on that waits: at once when the loop itself calls.
func (l *Loop) wake(f *fiber, err error) {
	f.err = err
	if l.current == nil {
		l.resume(f)
	} else {
		l.ready = append(l.ready, f)
	}
}

// Signal is something that one fiber waits for and another tells. The zero value is ready for use.
type Signal struct {
	set    bool
	waiter *fiber
}

// Set tells that it has happened.
func (s *Signal) Set() {
	s.set = true
	if f := s.waiter; f != nil {
		s.waiter = nil
		f.l.wake(f, nil)
	}
}

// IsSet tells whether it has happened.
func (s *Signal) IsSet() bool { return s.set }

// Await waits for a signal, at most for d. Its error is ErrTimeout.
func (l *Loop) Await(s *Signal, d time.Duration) error {
	if s.set {
		return nil
	}
	f := l.current
	s.waiter, f.awaited = f, s
	f.timer.due = l.time + d
	heap.Push(&l.timers, &f.timer)
	err := l.suspend()
	if f.timer.heap >= 0 {
		heap.Remove(&l.timers, f.timer.heap)
	}
	f.awaited = nil
	return err
}

// late ends the wait for a signal, unless it has ended already.
func (f *fiber) late() {
	if s := f.awaited; s != nil && s.waiter == f {
		s.waiter = nil
		f.l.wake(f, ErrTimeout)
	}
}
