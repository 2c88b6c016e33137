package reactor

import (
	"container/heap"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes and times of a loop.
const (
	eventsAtOnce = 64
	// batchesAtOnce bounds the batches of events that are taken before other work.
	batchesAtOnce = 32
	// tickEvery is how often deadlines are looked at: a wait ends up to this much later than its deadline says.
	tickEvery = 250 * time.Millisecond
	// buffersKept bounds the buffers that a loop keeps for later.
	buffersKept = 64
)

// BufferSize is the size in bytes of a loop's buffers.
const BufferSize = 64 << 10

// Options is what a Loop may be told.
type Options struct {
	// Turn is called on the loop after each batch of events. It returns true when it wants to be called again soon,
	// even if nothing happens. May be nil.
	Turn func() bool
	// Now is the clock of deadlines; time.Now when nil.
	Now func() time.Time
	// Joined tells that sockets may be joined past TCP (BPF sockmap). Such a socket has two queues, and a read that
	// empties one says nothing of the other; and a send may be refused with EINVAL while the other queue is full.
	Joined bool
}

// Loop is an event loop. But for Post and Wake, its methods, and those of its Conns, are called on the loop: by
// fibers, Owners, posted functions and Turn.
type Loop struct {
	turn   func() bool
	now    func() time.Time
	joined bool
	base   time.Time     // what times count from
	time   time.Duration // of the batch at hand, since base

	poll, waker int // descriptors: of epoll, and of the eventfd that ends its wait
	events      [eventsAtOnce]unix.EpollEvent
	watched     []watched // by descriptor
	conns       int       // of watched, those that are Conns
	age         uint32    // of what is watched, so that an event for what had the descriptor before is told from one of now

	current *fiber   // that runs now, nil while the loop itself does
	free    []*fiber // without a task
	fibers  int      // all that are alive
	ready   []*fiber // to be resumed by the loop
	timers  timers
	ticked  time.Duration // when deadlines were looked at

	buffers [][]byte
	out     int // buffers that are in use
	// spareFibers and spareBuffers are the least that were without work since the last tick.
	spareFibers, spareBuffers int

	stopping bool
	sleeping atomic.Bool
	mu       sync.Mutex
	posted   []func() // guarded by mu
	spare    []func()
	ended    bool // guarded by mu
}

// watched is what epoll tells of: one of the two is set.
type watched struct {
	conn   *Conn
	listen *Listener
}

// New makes a loop. Run runs it.
func New(o Options) (*Loop, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Loop{turn: o.Turn, now: o.Now, joined: o.Joined, base: o.Now()}
	var err error
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make epoll instance: %w", err)
	}
	if l.waker, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(l.poll)
		return nil, fmt.Errorf("make eventfd: %w", err)
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(l.waker)}
	if err := unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, l.waker, &e); err != nil {
		unix.Close(l.waker)
		unix.Close(l.poll)
		return nil, fmt.Errorf("watch eventfd: %w", err)
	}
	return l, nil
}

// Now is the time of the batch of events at hand, counted from an arbitrary moment. Deadlines are such times.
func (l *Loop) Now() time.Duration { return l.time }

// Refresh reads the clock, and returns what Now is then.
func (l *Loop) Refresh() time.Duration {
	l.time = l.now().Sub(l.base)
	return l.time
}

// Time is Now as a time of day.
func (l *Loop) Time() time.Time { return l.base.Add(l.time) }

// Each calls f for the Owner of every open connection. f may close them.
func (l *Loop) Each(f func(Owner)) {
	for fd := 0; fd < len(l.watched); fd++ {
		if c := l.watched[fd].conn; c != nil {
			f(c.owner)
		}
	}
}

// Conns is how many connections are open.
func (l *Loop) Conns() int { return l.conns }

// Run runs the loop until Stop was called and every fiber has ended. Connections and listeners that are open then
// are closed. It is called once.
func (l *Loop) Run() error {
	defer l.end()
	for batches := 0; ; {
		l.Refresh()
		more := batches > 0 || l.work()
		if l.stopping && l.fibers == len(l.free) && !more {
			return nil
		}
		n, err := l.wait(more)
		if err != nil {
			return fmt.Errorf("wait for events: %w", err)
		}
		l.Refresh()
		for i := range l.events[:n] {
			l.handle(&l.events[i])
		}
		if l.time-l.ticked >= tickEvery {
			l.tick()
		}
		l.timers.fire(l.time)
		// All news first, so that Turn can choose among all that have some.
		if batches++; n < len(l.events) || batches == batchesAtOnce {
			batches = 0
		}
	}
}

// work does what needs no event, and tells whether there is more of it.
func (l *Loop) work() bool {
	l.mu.Lock()
	l.posted, l.spare = l.spare[:0], l.posted
	l.mu.Unlock()
	for i, f := range l.spare {
		l.spare[i] = nil
		f()
	}
	l.resumeReady()
	more := l.turn != nil && l.turn()
	l.resumeReady()
	return more || len(l.ready) > 0
}

// resumeReady resumes the fibers that wait for their turn, those too that become ready meanwhile.
func (l *Loop) resumeReady() {
	for i := 0; i < len(l.ready); i++ {
		f := l.ready[i]
		l.ready[i] = nil
		l.resume(f)
	}
	l.ready = l.ready[:0]
}

// wait waits for events, not at all when there is more to do.
func (l *Loop) wait(more bool) (int, error) {
	timeout := -1
	switch {
	case more:
		timeout = 0
	default:
		if l.conns > 0 || len(l.free) > 0 || len(l.buffers) > 0 {
			timeout = milliseconds(tickEvery)
		}
		if len(l.timers) > 0 {
			if d := milliseconds(l.timers[0].due - l.time); timeout < 0 || d < timeout {
				timeout = d
			}
		}
		l.sleeping.Store(true)
		l.mu.Lock()
		if len(l.posted) > 0 {
			timeout = 0
		}
		l.mu.Unlock()
	}
	n, err := unix.EpollWait(l.poll, l.events[:], timeout)
	l.sleeping.Store(false)
	if err == unix.EINTR {
		return 0, nil
	}
	return n, err
}

// milliseconds is a duration in whole milliseconds, rounded up, not negative.
func milliseconds(d time.Duration) int {
	return max(int((d+time.Millisecond-1)/time.Millisecond), 0)
}

// handle passes an event on to whom it is about.
func (l *Loop) handle(e *unix.EpollEvent) {
	fd := int(e.Fd)
	if fd == l.waker {
		var b [8]byte
		unix.Read(fd, b[:])
		return
	}
	if fd >= len(l.watched) {
		return
	}
	switch w := l.watched[fd]; {
	case w.conn != nil && w.conn.age == uint32(e.Pad):
		w.conn.news(e.Events)
	case w.listen != nil && w.listen.age == uint32(e.Pad):
		w.listen.accept()
	}
}

// tick ends the waits whose deadline has passed.
func (l *Loop) tick() {
	l.ticked = l.time
	for fd := 0; fd < len(l.watched); fd++ { // which grows meanwhile, when a fiber connects
		if c := l.watched[fd].conn; c != nil {
			c.look(l.time)
		}
	}
	l.trim()
}

// trim lets half of the fibers and buffers go that nobody needed since the last tick.
func (l *Loop) trim() {
	for range (l.spareFibers + 1) / 2 {
		f := l.free[0]
		l.free[0] = nil
		l.free = l.free[1:]
		l.fibers--
		f.stop()
	}
	for range (l.spareBuffers + 1) / 2 {
		l.buffers[0] = nil
		l.buffers = l.buffers[1:]
	}
	l.spareFibers, l.spareBuffers = len(l.free), len(l.buffers)
}

// Post makes the loop call f soon. It may be called from everywhere, also before Run. It returns false, and f is
// not called, when the loop has ended.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	l.Wake()
	return true
}

// Wake ends the loop's wait for events, if it waits. It may be called from everywhere.
func (l *Loop) Wake() {
	if !l.sleeping.Swap(false) {
		return
	}
	l.mu.Lock() // the descriptor is not closed meanwhile
	defer l.mu.Unlock()
	if !l.ended {
		one := [8]byte{1}
		unix.Write(l.waker, one[:]) // fails when it has been written already, which does as well
	}
}

// Stop makes Run return when no fiber runs any more.
func (l *Loop) Stop() { l.stopping = true }

// end closes what is open and lets the idle fibers go.
func (l *Loop) end() {
	for _, f := range l.free {
		f.stop()
	}
	l.free = nil
	for _, w := range l.watched {
		switch {
		case w.conn != nil:
			w.conn.Close()
		case w.listen != nil:
			w.listen.Close()
		}
	}
	l.mu.Lock()
	l.ended = true
	left := l.posted
	l.posted = nil
	unix.Close(l.waker)
	unix.Close(l.poll)
	l.mu.Unlock()
	for _, f := range left {
		f() // who posted waits for an answer, maybe
	}
}

// Buffer returns a buffer of BufferSize bytes, for one piece of work. Release gives it back.
func (l *Loop) Buffer() []byte {
	l.out++
	if n := len(l.buffers); n > 0 {
		b := l.buffers[n-1]
		l.buffers = l.buffers[:n-1]
		l.spareBuffers = min(l.spareBuffers, n-1)
		return b
	}
	return make([]byte, BufferSize)
}

// BuffersOut is how many bytes the buffers have that were not given back.
func (l *Loop) BuffersOut() int { return l.out * BufferSize }

// Release gives a buffer back that Buffer returned.
func (l *Loop) Release(b []byte) {
	l.out--
	if cap(b) == BufferSize && len(l.buffers) < buffersKept {
		l.buffers = append(l.buffers, b[:BufferSize])
	}
}

// watch registers a descriptor with epoll.
func (l *Loop) watch(fd int, events uint32, w watched) (age uint32, err error) {
	l.age++
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(l.age)}
	if err := unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return 0, fmt.Errorf("watch socket: %w", err)
	}
	for fd >= len(l.watched) {
		l.watched = append(l.watched, make([]watched, max(64, len(l.watched)/4))...)
	}
	l.watched[fd] = w
	return l.age, nil
}

// timer is something to do at a time.
type timer struct {
	due  time.Duration
	f    func()
	heap int // where it is in timers, -1 when it is not
}

// timers is a heap by due.
type timers []*timer

// Len is heap.Interface's.
func (t timers) Len() int { return len(t) }

// Less is heap.Interface's.
func (t timers) Less(i, j int) bool { return t[i].due < t[j].due }

// Swap is heap.Interface's.
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].heap, t[j].heap = i, j
}

// Push is heap.Interface's.
func (t *timers) Push(x any) {
	x.(*timer).heap = len(*t)
	*t = append(*t, x.(*timer))
}

// Pop is heap.Interface's.
func (t *timers) Pop() any {
	n := len(*t) - 1
	x := (*t)[n]
	(*t)[n] = nil
	*t = (*t)[:n]
	x.heap = -1
	return x
}

// fire does what is due.
func (t *timers) fire(now time.Duration) {
	for len(*t) > 0 && (*t)[0].due <= now {
		heap.Pop(t).(*timer).f()
	}
}

// After calls f on the loop when d has passed, unless cancel is called before.
func (l *Loop) After(d time.Duration, f func()) (cancel func()) {
	t := &timer{due: l.time + d, f: f}
	heap.Push(&l.timers, t)
	return func() {
		if t.heap >= 0 {
			heap.Remove(&l.timers, t.heap)
		}
	}
}
