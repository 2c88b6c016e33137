package http2

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/http1"
	"golang.org/x/net/http2/hpack"
)

// reference decodes a header block as RFC 7541 says, one step after the other, without a look at the decoder.
type reference struct {
	table []hpack.HeaderField // the newest first
	max   int
}

func (r *reference) decode(p []byte) (out []hpack.HeaderField, ok bool) {
	number := func(prefix uint) (n int) {
		most := 1<<prefix - 1
		n, p = int(p[0])&most, p[1:]
		if n < most {
			return n
		}
		for i := 0; ; i++ {
			if len(p) == 0 || i == 5 {
				panic("number")
			}
			c := p[0]
			p = p[1:]
			n += int(c&127) << (7 * i)
			if c < 128 {
				break
			}
		}
		if n >= 1<<31 {
			panic("number")
		}
		return n
	}
	text := func() string {
		coded := p[0] >= 128
		n := number(7)
		s := p[:n]
		p = p[n:]
		if !coded {
			return string(s)
		}
		t, err := hpack.HuffmanDecodeToString(s)
		if err != nil {
			panic(err)
		}
		return t
	}
	at := func(i int) hpack.HeaderField {
		if i <= 61 {
			return hpack.HeaderField{Name: staticTable[i].name, Value: staticTable[i].value}
		}
		return r.table[i-62]
	}
	size := func() (n int) {
		for _, f := range r.table {
			n += len(f.Name) + len(f.Value) + 32
		}
		return n
	}
	defer func() {
		if recover() != nil {
			out, ok = nil, false
		}
	}()
	for len(p) > 0 {
		b := p[0]
		switch {
		case b >= 128:
			i := number(7)
			if i == 0 {
				return nil, false
			}
			out = append(out, at(i))
		case b >= 32 && b < 64:
			if len(out) > 0 {
				return nil, false
			}
			if r.max = number(5); r.max > 4096 {
				return nil, false
			}
			for size() > r.max {
				r.table = r.table[:len(r.table)-1]
			}
		default:
			prefix := uint(4)
			if b >= 64 {
				prefix = 6
			}
			f := hpack.HeaderField{Sensitive: b >= 16 && b < 32}
			if i := number(prefix); i > 0 {
				f.Name = at(i).Name
			} else {
				f.Name = text()
			}
			f.Value = text()
			out = append(out, f)
			if b >= 64 {
				r.table = append([]hpack.HeaderField{f}, r.table...)
				for len(r.table) > 0 && size() > r.max {
					r.table = r.table[:len(r.table)-1]
				}
			}
		}
	}
	return out, true
}

// fieldsOf are the fields of a list as x/net has them.
func fieldsOf(l *list) (out []hpack.HeaderField) {
	for _, f := range l.fields {
		out = append(out, hpack.HeaderField{Name: f.name, Value: f.value, Sensitive: f.secret})
	}
	return out
}

// same compares two lists.
func same(a, b []hpack.HeaderField) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// FuzzHPACK decodes header blocks, each behind a byte with its length, as the grammar of RFC 7541 and x/net do, and writes
// what was in them so that x/net reads the same.
func FuzzHPACK(f *testing.F) {
	add := func(blocks ...string) {
		var in []byte
		for _, b := range blocks {
			raw, err := hex.DecodeString(strings.ReplaceAll(b, " ", ""))
			if err != nil {
				f.Fatal(err)
			}
			in = append(append(in, byte(len(raw))), raw...)
		}
		f.Add(in)
	}
	// RFC 7541 C.2.1 to C.2.4, C.3, C.4, C.6
	add("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")
	add("040c 2f73 616d 706c 652f 7061 7468", "1008 7061 7373 776f 7264 0673 6563 7265 74", "82")
	add("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
		"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65")
	add("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
		"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")
	add("3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
		"4883 640e ffc1 c0bf")
	add("20", "3fe1 1f", "3fe2 1f")
	add("8220")
	add("ff80 8080 8080 00", "0fff ffff ff0f 0161", "0001 6101 62", "1f")
	f.Fuzz(func(t *testing.T, in []byte) {
		ours, ref, theirs := decoder{}, reference{max: tableSize}, hpack.NewDecoder(tableSize, nil)
		ours.table.max = tableSize
		enc, back := encoder{}, hpack.NewDecoder(tableSize, nil)
		enc.table.max = tableSize
		agrees := true
		for len(in) > 0 {
			n := min(int(in[0]), len(in)-1)
			block := in[1 : 1+n]
			in = in[1+n:]
			if n == 255 { // the peer of our encoder changes its mind
				enc.limit(uint32(block[0]) << 5)
			}
			var l list
			ok := ours.decode(block, &l)
			got := fieldsOf(&l)
			want, fit := ref.decode(block)
			if ok != fit || ok && !l.over && !same(got, want) {
				t.Fatalf("%x: %v %v, by the grammar %v %v", block, ok, got, fit, want)
			}
			if !ok {
				return
			}
			// x/net takes no second change of size in a row, and reads on after an error: then it is not asked any more.
			xnet, err := theirs.DecodeFull(block)
			if agrees = agrees && err == nil; agrees && !l.over && !same(got, xnet) {
				t.Fatalf("%x: %v, x/net %v", block, got, xnet)
			}
			out := enc.begin(nil)
			for _, f := range got {
				out = enc.field(out, f.Name, f.Value, f.Sensitive)
			}
			again, err := back.DecodeFull(out)
			if err != nil || !same(got, again) {
				t.Fatalf("%v was written as %x, which is %v, %v", got, out, again, err)
			}
		}
	})
}

// TestHuffman decodes what x/net encodes: every byte, next to every other, and refuses bad ends (RFC 7541 5.2).
func TestHuffman(t *testing.T) {
	for a := range 256 {
		var s []byte
		for b := range 256 {
			s = append(s, byte(a), byte(b))
		}
		got, ok := appendHuffman([]byte("before "), hpack.AppendHuffmanString(nil, string(s)))
		if !ok || string(got) != "before "+string(s) {
			t.Fatalf("%x: %x", s, got)
		}
	}
	for name, b := range map[string][]byte{
		"a byte of padding":      append(hpack.AppendHuffmanString(nil, "ab"), 0xff),
		"only padding":           {0xff},
		"padding of zeros":       {0x18}, // a, 000
		"EOS":                    {0xff, 0xff, 0xff, 0xff},
		"a code that breaks off": {0xff, 0xfe},
	} {
		if got, ok := appendHuffman(nil, b); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestTable keeps and drops entries by size (RFC 7541 4.3, 4.4), and keeps the strings of those that have gone.
func TestTable(t *testing.T) {
	table := dynamicTable{max: 120}
	a := table.add(entry{name: "a", value: "1"})
	table.add(entry{name: "b", value: "2"})
	table.add(entry{name: "c", value: "3"})
	if e := table.at(0); table.count != 3 || e.name != "c" {
		t.Fatalf("%d entries, the newest %v", table.count, e)
	}
	table.add(entry{name: "d", value: strings.Repeat("4", 50)})
	if table.count != 2 || table.at(0).name != "d" || table.at(1).name != "c" || table.at(2) != nil {
		t.Errorf("%d entries", table.count)
	}
	table.setMax(90)
	if table.count != 1 || table.size != 83 {
		t.Errorf("%d entries of %d", table.count, table.size)
	}
	if e := table.add(entry{name: "e", value: strings.Repeat("5", 100)}); table.count != 0 || table.size != 0 || !bytes.HasSuffix([]byte(e.value), []byte("55")) {
		t.Errorf("%d entries after one that is too large", table.count)
	}
	if a.name != "a" || a.value != "1" {
		t.Errorf("the first became %v", a)
	}
}

// TestTableSize tells once of a table that a peer has made smaller (RFC 7541 4.2).
func TestTableSize(t *testing.T) {
	p := started(t, true, Options{})
	p.receive(fr(settingsFrame, 0, 0, join(setting(settingTable, 0), setting(settingTable, 1<<20))))
	p.Sent(len(p.Pending()))
	p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
		b, _ := s.Answer(200)
		b.Send(true)
		s.Release()
	}
	for i, want := range []string{"\x20\x88", "\x88"} {
		p.receive(fr(headersFrame, endOnce, uint32(2*i+1), get()))
		if got := string(p.Pending()[frameHead:]); got != want {
			t.Errorf("%d: %x, want %x", i, got, want)
		}
		p.Sent(len(p.Pending()))
	}
}
