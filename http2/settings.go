package http2

import "encoding/binary"

// names of settings (RFC 9113 6.5.2, RFC 8441 3).
const (
	settingTable      = 1
	settingPush       = 2
	settingMaxStreams = 3
	settingWindow     = 4
	settingMaxFrame   = 5
	settingHeaderList = 6
	settingConnect    = 8
)

// setting deals with SETTINGS (RFC 9113 6.5). Windows of open streams are changed once, whatever one frame says how
// often.
func (c *Conn) setting(f *frame) *Error {
	switch {
	case f.id != 0:
		return ErrStreamID
	case f.has(ackFlag):
		if len(f.payload) != 0 {
			return ErrFrameLength
		}
		return c.idleFrame(1)
	case len(f.payload)%6 != 0:
		return ErrFrameLength
	}
	if c.settled {
		if err := c.idleFrame(settingsCost); err != nil {
			return err
		}
	}
	was := c.peer.InitialWindow
	for p := f.payload; len(p) > 0; p = p[6:] {
		if err := c.apply(binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])); err != nil {
			return err
		}
	}
	if change := int64(c.peer.InitialWindow) - int64(was); change != 0 {
		if err := c.moveWindows(change); err != nil {
			return err
		}
	}
	c.settled = true
	if c.room() {
		c.out = appendFrame(c.out, 0, settingsFrame, ackFlag, 0)
	}
	c.handler.Settings()
	c.wake()
	return nil
}

// apply notes one setting of the peer. What is not known is ignored.
func (c *Conn) apply(name uint16, value uint32) *Error {
	switch name {
	case settingTable:
		c.enc.limit(value)
	case settingPush:
		if value > 1 || value == 1 && !c.server {
			return ErrSetting
		}
	case settingMaxStreams:
		c.peer.MaxStreams = value
	case settingWindow:
		if value > maxID {
			return ErrWindowSetting
		}
		c.peer.InitialWindow = value
	case settingMaxFrame:
		if value < maxFrame || value > 1<<24-1 {
			return ErrSetting
		}
		c.peer.MaxFrame = value
	case settingHeaderList:
		c.peer.MaxHeaderList = value
	case settingConnect:
		if value > 1 || value == 0 && c.peer.Connect {
			return ErrSetting
		}
		c.peer.Connect = value == 1
	}
	return nil
}

// moveWindows changes the windows of all open streams, which may so become negative (RFC 9113 6.9.2).
func (c *Conn) moveWindows(change int64) *Error {
	for _, s := range c.streams.slots {
		if s == nil {
			continue
		}
		if s.sendable += change; s.sendable > maxID {
			return ErrOverflow
		}
		c.opened(s)
	}
	return nil
}
