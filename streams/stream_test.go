package streams

import (
	"bytes"
	"testing"

	"github.com/trellis-project/trellis/reactor"
)

// TestData keeps what has come and was not read: few bytes in the stream itself, more in a buffer of the loop, in order
// wherever the reader is.
func TestData(t *testing.T) {
	loop, err := reactor.New(reactor.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456789abcdef!"), 100)
	for name, c := range map[string]struct {
		pieces  []int // that come; negative: so much is read
		buffers int   // of the loop in the end
	}{
		"one":                   {[]int{300}, 0},
		"all that fits":         {[]int{300, 212}, 0},
		"more":                  {[]int{300, 213}, 1},
		"much":                  {[]int{1500}, 1},
		"room is made in front": {[]int{500, -400, 400}, 0},
		"and more":              {[]int{500, -10, 400, 500}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			pool := new(Pool)
			st := pool.stream()
			st.session = &Session{o: Options{Loop: loop, Pool: pool}}
			from, to := 0, 0
			for _, n := range c.pieces {
				if n < 0 {
					from, st.from = from-n, st.from-n
					continue
				}
				st.data(text[to:to+n], false)
				to += n
			}
			if got := st.Waiting(); !bytes.Equal(got, text[from:to]) {
				t.Errorf("%q waits, want %q", got, text[from:to])
			}
			if n := loop.BuffersOut() / reactor.BufferSize; n != c.buffers {
				t.Errorf("%d buffers of the loop, want %d", n, c.buffers)
			}
			st.dropBuffer()
			if loop.BuffersOut() != 0 || st.Waiting() != nil {
				t.Errorf("the buffer was not given back")
			}
		})
	}
}
