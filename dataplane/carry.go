package dataplane

import (
	"errors"
	"io"
	"time"

	"github.com/trellis-project/trellis/reactor"
)

// side is one end of what is carried as it comes.
type side interface {
	Read([]byte) (int, error)
	WaitRead() error
	Write([]byte) (int, error)
	CloseWrite() error
	SetReadDeadline(time.Duration)
	SetWriteDeadline(time.Duration)
	Interrupt(error)
}

// carriage is one direction of a connection that is carried as it comes.
type carriage struct {
	server   *Server
	loop     *reactor.Loop
	from, to side
	idle     *time.Duration // it may become shorter meanwhile
	carried  int64
	err      error // why it ended; nil at the end of what is sent
	done     reactor.Signal
}

// carry carries what client and target send each other until both have ended, one fails, or nothing was sent for the
// idle timeout. first has been read from the client already. It returns the reason of a failure.
func (x *exchange) carry(client, target side, first []byte) (reason string) {
	loop := x.w.loop
	up := &carriage{server: x.w.s, loop: loop, from: client, to: target, idle: &x.idle}
	down := &carriage{server: x.w.s, loop: loop, from: target, to: client, idle: &x.idle}
	if len(first) > 0 {
		target.SetWriteDeadline(loop.Now() + x.idle)
		if _, err := target.Write(first); err != nil {
			x.c.abort()
			return failTargetClosed
		}
	}
	loop.Go(up)
	down.Run()
	for loop.Await(&up.done, time.Hour) != nil {
	}
	if up.err == errPanicked || down.err == errPanicked {
		panic(errPanicked)
	}
	x.rec.BytesReceived += up.carried
	x.rec.BytesSent += down.carried
	switch {
	case x.outlived:
		reason = failTooLong
	case reactor.IsTimeout(up.err) || reactor.IsTimeout(down.err), errors.Is(down.err, errCut):
		// Nothing was sent for the idle timeout, or the node stops: that is how such connections end.
	case errors.Is(down.err, errClientGone):
		reason = failClientClosed
	case down.err != nil && !errors.Is(down.err, errOther):
		reason = failTargetClosed
	case up.err != nil && !errors.Is(up.err, errOther):
		reason = failClientClosed
	}
	if reason != failNone {
		x.c.abort()
	}
	return reason
}

// errOther ends a direction when the other one has failed.
var errOther = errors.New("the other direction has failed")

// Run carries one direction. It is a fiber's task. No buffer is held while nothing comes.
func (d *carriage) Run() {
	defer d.end()
	d.err = d.run()
}

// end tells how the direction has ended.
func (d *carriage) end() {
	if p := recover(); p != nil {
		d.server.panicked(p)
		d.err = errPanicked
	}
	if d.err != nil {
		d.from.Interrupt(errOther)
		d.to.Interrupt(errOther)
	}
	d.done.Set()
}

// run is Run's loop.
func (d *carriage) run() error {
	d.stir()
	for {
		if err := d.from.WaitRead(); err != nil {
			return err
		}
		switch err := d.pass(); {
		case errors.Is(err, io.EOF):
			return d.to.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// pass passes on what has come.
func (d *carriage) pass() error {
	b := d.loop.Buffer()
	defer d.loop.Release(b)
	n, err := d.from.Read(b)
	if n > 0 {
		d.stir()
		_, err = d.to.Write(b[:n])
		d.carried += int64(n)
	}
	return err
}

// stir puts off the end for want of anything sent, in both directions.
func (d *carriage) stir() {
	due := d.loop.Now() + *d.idle
	d.from.SetReadDeadline(due)
	d.to.SetReadDeadline(due)
	d.to.SetWriteDeadline(due)
}
