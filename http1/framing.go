package http1

// frameRequest decides how the body of a request ends, and what its fields say about the connection.
func (h *Head) frameRequest() error {
	hosts, hops := 0, false
	for i, k := range h.Kinds {
		if k == MaxForwards && h.countsHops() {
			n, ok := decimal(h.Fields[i].Value)
			switch {
			case !ok || hops:
				return ErrMaxForwards
			case n == 0:
				return ErrLastHop
			}
			hops = true
		}
		if k == Host {
			if hosts++; hosts > 1 || !ValidHost(h.Fields[i].Value) {
				return ErrHost
			}
			if h.Absolute {
				h.Fields[i].Value = h.Host // what was signed, matched and forwarded is one host (RFC 9112 3.2.2)
			} else {
				h.Host = h.Fields[i].Value
			}
		}
	}
	if hosts == 0 && h.Minor > 0 {
		return ErrHost
	}
	if err := h.common(); err != nil {
		return err
	}
	switch {
	case h.Coded:
		h.Framing = Chunked
	case h.Declared && h.Length > 0:
		h.Framing = ByLength
	}
	return nil
}

// countsHops tells whether Max-Forwards means something: with OPTIONS and TRACE (RFC 9110 7.6.2).
func (h *Head) countsHops() bool { return h.Method == "OPTIONS" || h.Method == "TRACE" }

// frameResponse is frameRequest for a response (RFC 9112 6.3).
func (h *Head) frameResponse(toHead bool) error {
	if err := h.common(); err != nil {
		return err
	}
	switch {
	case h.Status == 101 && !h.Switching:
		return ErrSwitchedProtocol
	case h.Status < 200, h.Status == 204:
		if h.Coded || h.Length > 0 {
			h.Close = true // bytes may follow that nobody asked for
		}
		h.Coded, h.Declared, h.Length = false, false, 0
	case h.Status == 304, toHead:
	case h.Coded:
		h.Framing = Chunked
	case !h.Declared:
		h.Framing, h.Close = UntilClose, true
	case h.Length > 0:
		h.Framing = ByLength
	}
	return nil
}

// common reads the fields that frame the body and those that are about the connection.
func (h *Head) common() error {
	h.Framing, h.Length, h.Declared, h.Coded = NoBody, 0, false, false
	h.Close, h.Nominated, h.Continue, h.Upgrade, h.HasDate = h.Minor == 0, false, false, false, false
	var unknown bool
	for i, k := range h.Kinds {
		if k == Other {
			continue
		}
		v := h.Fields[i].Value
		switch k {
		case ContentLength:
			n, ok := decimal(v)
			if !ok {
				return ErrLength
			}
			if h.Declared {
				return ErrLengthRepeated
			}
			h.Length, h.Declared = n, true
		case TransferEncoding:
			if h.Coded {
				return ErrCodingRepeated
			}
			h.Coded = true
			if !equalFold(v, "chunked") {
				var ok bool
				if ok = knownCodings(v); !ok {
					return ErrCoding
				}
				unknown = true
			}
		case Confusable:
			if h.Method != "" {
				return ErrConfusable
			}
		case Connection:
			h.connection(v)
		case Expect:
			if !equalFold(v, "100-continue") {
				if h.Method != "" {
					return ErrExpect
				}
				continue
			}
			h.Continue = h.Minor > 0
		case HopByHop:
			if len(h.Fields[i].Name) == len("upgrade") {
				h.Upgrade = true
			}
		case Date:
			h.HasDate = true
		}
	}
	switch {
	case h.Coded && h.Declared:
		return ErrLengthAndCoding
	case h.Coded && h.Minor == 0:
		return ErrCodingVersion
	case unknown:
		return ErrCodingUnknown
	}
	return nil
}

// connection reads the options of a Connection field.
func (h *Head) connection(v string) {
	for t := ""; v != ""; {
		t, v = nextToken(v)
		switch {
		case equalFold(t, "close"):
			h.Close = true
		case t == "", equalFold(t, "keep-alive"):
		default:
			h.Nominated = true
		}
	}
}

// knownCodings tells whether v is a list of registered transfer codings of which the last, and no other,
// is chunked: well-formed, but nothing that is served.
func knownCodings(v string) bool {
	last := false
	for t := ""; v != ""; {
		t, v = nextToken(v)
		if t == "" {
			continue
		}
		if last {
			return false
		}
		switch {
		case equalFold(t, "chunked"):
			last = true
		case equalFold(t, "gzip"), equalFold(t, "x-gzip"), equalFold(t, "deflate"), equalFold(t, "compress"), equalFold(t, "x-compress"):
		default:
			return false
		}
	}
	return last
}
