package http2

import "time"

// Budgets against floods (RFC 9113 10.5). Every frame that brings nothing costs something, work that comes to an end and
// time that passes give back, and who has used up all is cut off with ENHANCE_YOUR_CALM. So a client may send a burst,
// and for hours what keeps a connection alive or tunes it, but can't make work out of nothing.
const (
	calmMax       = 1000 // frames without use: a legal SETTINGS, PING or WINDOW_UPDATE each cost 1
	calmPerSecond = 20   // gRPC's clients ping every 10 s on idle connections, and once a round trip on busy ones
	calmPerStream = 8    // a request has a window update or two, maybe a PRIORITY and a PING
	calmPerData   = 2    // each DATA frame may be answered with two window updates
	settingsCost  = 4    // each is applied and answered
	straysCost    = 64   // frames of a reset stream that cost 1: a window full of small messages may be on its way

	resetsMax       = 100 // streams that a client ends before they are answered, beyond those that were finished
	resetsPerSecond = 10  // clients with deadlines give up when a service is slow
	resetsPerStream = 1   // half of all requests may be given up for ever

	smallUpdate = 256 // a window update below this, and a DATA frame with less, is one of many
)

// budget is what a peer has left.
type budget struct {
	calm, resets int
	strays       int           // frames of streams that were reset
	filled       time.Duration // when time last gave back
}

// useful gives back for work that came to an end.
func (b *budget) useful(calm, resets int) {
	b.calm = min(b.calm+calm, calmMax)
	b.resets = min(b.resets+resets, resetsMax)
}

// Tick tells the connection the time, as it has passed since a moment that is always the same. The owner does so when it
// has news of the connection; without it budgets are filled by work alone.
func (c *Conn) Tick(now time.Duration) {
	if seconds := int((now - c.filled) / time.Second); seconds > 0 {
		c.filled = now
		c.useful(min(seconds, calmMax)*calmPerSecond, min(seconds, calmMax)*resetsPerSecond)
	}
}

// idleFrame charges for a frame that brings nothing.
func (c *Conn) idleFrame(cost int) *Error {
	if c.calm -= cost; c.calm < 0 {
		return ErrFlood
	}
	return nil
}

// chargeReset charges for a stream that ended before it was answered.
func (c *Conn) chargeReset() *Error {
	if c.resets--; c.resets < 0 {
		return ErrResets
	}
	return nil
}
