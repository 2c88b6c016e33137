package http2

import "unsafe"

// tableSize is the size of dynamic tables, the decoder's and the encoder's: what RFC 7541 begins with. A peer may hold
// the encoder to less. The decoder's is never changed.
const tableSize = 4096

// overhead is what an entry counts for in a table beyond its name and value, and in the size of a header list (RFC
// 7541 4.1, RFC 9113 6.5.2).
const overhead = 32

// chunkSize is how much memory the strings of a dynamic table are cut from at a time.
const chunkSize = 1 << 10

// entry is a field line with all that is to be known of it, found out once for those in a table.
type entry struct {
	name, value string
	class
}

// size is what the entry counts for.
func (e *entry) size() int { return len(e.name) + len(e.value) + overhead }

// dynamicTable holds the last entries that one side has put into it (RFC 7541 2.3.2). Their strings are never written
// again and so stay good after an entry has gone: whoever still uses them keeps them.
type dynamicTable struct {
	ring  []entry // a power of two of places
	added uint32  // entries ever added: the newest is at added-1
	count int     // entries there
	size  int     // what they count for
	max   int
	spare []byte // the rest of the last chunk
}

// at returns an entry by its age, 0 for the newest, or nil.
func (t *dynamicTable) at(age int) *entry {
	if age >= t.count {
		return nil
	}
	return &t.ring[(t.added-1-uint32(age))&uint32(len(t.ring)-1)]
}

// numbered returns an entry by its number, as added counts, with its age, or nil when it has gone.
func (t *dynamicTable) numbered(n uint32) (e *entry, age int) {
	age = int(t.added - n - 1)
	if age < 0 {
		return nil, 0
	}
	return t.at(age), age
}

// setMax changes what the table may hold.
func (t *dynamicTable) setMax(max int) {
	t.max = max
	t.evict(0)
}

// evict drops the oldest entries until there is room for n bytes more, or none are left.
func (t *dynamicTable) evict(n int) {
	for t.count > 0 && t.size+n > t.max {
		oldest := t.at(t.count - 1)
		t.size -= oldest.size()
		*oldest = entry{}
		t.count--
	}
}

// add puts an entry into the table with strings of the table's own, and returns it with these. An entry that is too
// large empties the table and gets strings all the same (RFC 7541 4.4).
func (t *dynamicTable) add(e entry) entry {
	n := len(e.name) + len(e.value)
	if n > len(t.spare) {
		t.spare = make([]byte, max(n, chunkSize))
	}
	b := t.spare[:n:n]
	t.spare = t.spare[n:]
	copy(b[copy(b, e.name):], e.value)
	e.name, e.value = view(b[:len(e.name)]), view(b[len(e.name):])
	t.evict(e.size())
	if e.size() > t.max {
		return e
	}
	if t.count == len(t.ring) {
		ring := make([]entry, max(8, 2*len(t.ring)))
		for age := range t.count {
			ring[(t.added-1-uint32(age))&uint32(len(ring)-1)] = *t.at(age)
		}
		t.ring = ring
	}
	t.ring[t.added&uint32(len(t.ring)-1)] = e
	t.added++
	t.count++
	t.size += e.size()
	return e
}

// view is b as a string that shares its bytes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// staticTable is RFC 7541 appendix A. Its first entry is no entry: indices begin with 1.
var staticTable = func() (t [62]entry) {
	for i, f := range [...][2]string{
		1: {":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"},
		{":scheme", "http"}, {":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"},
		{":status", "304"}, {":status", "400"}, {":status", "404"}, {":status", "500"}, {"accept-charset", ""},
		{"accept-encoding", "gzip, deflate"}, {"accept-language", ""}, {"accept-ranges", ""}, {"accept", ""},
		{"access-control-allow-origin", ""}, {"age", ""}, {"allow", ""}, {"authorization", ""}, {"cache-control", ""},
		{"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
		{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""}, {"date", ""}, {"etag", ""},
		{"expect", ""}, {"expires", ""}, {"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""},
		{"if-none-match", ""}, {"if-range", ""}, {"if-unmodified-since", ""}, {"last-modified", ""}, {"link", ""},
		{"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""}, {"proxy-authorization", ""}, {"range", ""},
		{"referer", ""}, {"refresh", ""}, {"retry-after", ""}, {"server", ""}, {"set-cookie", ""},
		{"strict-transport-security", ""}, {"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""},
		{"www-authenticate", ""},
	} {
		if i > 0 {
			t[i] = entry{f[0], f[1], classOf(f[0])}
		}
	}
	return t
}()
