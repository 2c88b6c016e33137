package wire

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// cborProtocol is the value of the header that tells requests and answers of this protocol (Smithy RPC v2 CBOR).
const cborProtocol = "rpc-v2-cbor"

// Bounds of a CBOR text, beside the length of a body: a few bytes must not ask for much memory, or a deep stack.
const (
	cborDepth = 32
	cborItems = 64 << 10 // of one list or map
)

// cborReading decodes what anybody sent: bounded, no key twice, texts valid, no types of its own but times.
var cborReading = must(cbor.DecOptions{
	DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: cborDepth, MaxArrayElements: cborItems, MaxMapPairs: cborItems,
	DefaultMapType: reflect.TypeFor[map[string]any](), UTF8: cbor.UTF8RejectInvalid,
}.DecMode())

// cborWriting encodes the same value always to the same bytes.
var cborWriting = must(cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode())

// must is a value that only a mistake of the program keeps from being made.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// IsCBOR tells requests of Smithy RPC v2 CBOR.
func IsCBOR(header map[string][]string) bool { return first(header["Smithy-Protocol"]) == cborProtocol }

// operationOf is the operation that a path names, /service/SERVICE/operation/NAME, and of other paths "".
func operationOf(path string) string {
	service, name, ok := strings.Cut(path, "/operation/")
	if !ok || !strings.HasPrefix(service, "/service/") {
		return ""
	}
	return name
}

// readCBOR makes a tree of a CBOR text, which must be a map. Nothing at all is an empty map.
func readCBOR(body []byte) (map[string]any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	var tree any
	if err := cborReading.Unmarshal(body, &tree); err != nil {
		return nil, fmt.Errorf("parse CBOR: %w", err)
	}
	m, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("parse CBOR: the body is not a map")
	}
	return m, nil
}

// writeCBOR writes a map that cborStructure made.
func writeCBOR(m map[string]any) []byte { return must(cborWriting.Marshal(m)) }

// cborHeader sets the headers of an answer.
func cborHeader(h map[string]string) {
	h["Smithy-Protocol"], h["Content-Type"] = cborProtocol, "application/cbor"
}

// cborStructure is a struct as a map for writeCBOR. top says that it is an operation's side; see jsonWriter.structure.
func cborStructure(sh *shape, v reflect.Value, top, client bool) map[string]any {
	m := make(map[string]any, len(sh.fields))
	for _, f := range sh.fields {
		fv := v.Field(f.index)
		if absent(f, fv, top && !client) || top && client && unset(f, fv) {
			continue
		}
		m[f.wire] = cborValue(f.shape, fv, client)
	}
	return m
}

// cborValue is one value for writeCBOR.
func cborValue(sh *shape, v reflect.Value, client bool) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.kind {
	case kindStruct:
		return cborStructure(sh, v, false, client)
	case kindList:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = cborValue(sh.elem, v.Index(i), client)
		}
		return list
	case kindMap:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = cborValue(sh.elem, it.Value(), client)
		}
		return m
	case kindTime: // tag 1, seconds since 1970 (RFC 8949, section 3.4.2)
		return cbor.Tag{Number: 1, Content: float64(timeOf(v).UnixMilli()) / 1000}
	}
	return v.Interface()
}
