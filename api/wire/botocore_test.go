package wire_test

import (
	"bufio"
	"encoding/json"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-project/trellis/api/wire"
)

// python returns a command that runs a script with the pinned botocore, which `make tools` installs.
func python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if dir := os.Getenv("TRELLIS_BOTOCORE"); dir != "" {
		c := exec.CommandContext(t.Context(), "python3", args...)
		c.Env = append(os.Environ(), "PYTHONPATH="+filepath.Dir(dir))
		return c
	}
	venvs := os.Getenv("TRELLIS_VENVS")
	if venvs == "" {
		venvs = filepath.Join("..", "..", ".cache")
	}
	name := filepath.Join(venvs, "boto3", "bin", "python3")
	if _, err := os.Stat(name); err != nil {
		t.Fatalf("botocore is not installed, run `make tools`: %v", err)
	}
	return exec.CommandContext(t.Context(), name, args...)
}

// botocoreLine is a line that the script and the test exchange.
type botocoreLine struct {
	Service   string            `json:"service"`
	Operation string            `json:"operation"`
	Method    string            `json:"method,omitempty"`
	URL       string            `json:"url,omitempty"`
	Status    int               `json:"status,omitempty"`
	Headers   map[string]string `json:"headers"`
	Body      []byte            `json:"body"`
	Value     map[string]any    `json:"value"`
}

// TestBotocore takes every listed operation through botocore, both ways: a request with every member set, as
// botocore writes it, must be decoded to the same; an answer with every member set must be parsed to the same.
func TestBotocore(t *testing.T) {
	names := map[string]string{"tagging": "resourcegroupstaggingapi", "vpclattice": "vpc-lattice"}
	protocols := map[wire.Protocol]string{wire.RESTJSON: "rest-json", wire.JSON: "json", wire.Query: "query", wire.EC2: "ec2", wire.RESTXML: "rest-xml", wire.CBOR: "smithy-rpc-v2-cbor"}
	codecs := map[string]*wire.Codec{}
	args := []string{filepath.Join("testdata", "exchange.py")}
	operations := 0
	for _, m := range models() {
		service := m.Folder
		if n, ok := names[service]; ok {
			service = n
		}
		service += "/" + protocols[m.Protocol]
		codecs[service] = codec(t, m)
		var list []string
		for _, op := range m.Operations {
			list = append(list, op.Name)
		}
		operations += len(list)
		args = append(args, service+"="+strings.Join(list, ","))
	}
	script := python(t, args...)
	stdin, err := script.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	script.Stderr = os.Stderr
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	next := func() (l botocoreLine) {
		if !lines.Scan() {
			t.Fatal("the script ended: ", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	for l := next(); l.Service != ""; l = next() {
		operations--
		checkRequest(t, codecs[l.Service], l)
	}
	if operations != 0 {
		t.Errorf("%d operations were not tried", operations)
	}
	out := json.NewEncoder(stdin)
	for service, c := range codecs {
		for i := range c.Model.Operations {
			op := &c.Model.Operations[i]
			value := reflect.New(op.Out)
			fill(value.Elem())
			if f := value.Elem().FieldByName("Expires"); f.IsValid() && c.Model.Protocol == wire.RESTXML {
				f.Set(reflect.ValueOf(new("Fri, 02 Jan 2026 03:04:05 GMT"))) // a text in the model, which botocore reads as a time
			}
			r := c.Encode(op, value.Interface(), "id")
			headers := map[string]string{}
			for k, v := range r.Header {
				headers[strings.ToLower(k)] = v
			}
			if err := out.Encode(botocoreLine{Service: service, Operation: op.Name, Status: r.Status, Headers: headers, Body: r.Body}); err != nil {
				t.Fatal(err)
			}
			got := next().Value
			own := c.Map(op, value.Interface())
			if c.Model.Protocol == wire.RESTXML {
				got, own = inHeaders(got), inHeaders(own)
				if op.Name == "GetBucketLocation" { // botocore reads its one text elsewhere
					got = own
				}
			}
			if r.Status == 204 {
				continue
			}
			if diff := cmp.Diff(normal(t, own), normal(t, got)); diff != "" {
				t.Errorf("%s %s output: (-Trellis +botocore)\n%s\n%s", service, op.Name, diff, r.Body)
			}
			back, err := c.DecodeOutput(op, r)
			if err != nil {
				t.Errorf("%s %s output: %v", service, op.Name, err)
				continue
			}
			if c.Model.Protocol == wire.RESTXML { // not all that it has comes back in the same form
				want, got := inHeaders(c.Map(op, value.Interface())), inHeaders(c.Map(op, back))
				if diff := cmp.Diff(normal(t, want), normal(t, got)); diff != "" {
					t.Errorf("%s %s output read by our own client: (-want +got)\n%s", service, op.Name, diff)
				}
				continue
			}
			if diff := cmp.Diff(value.Interface(), back); diff != "" {
				t.Errorf("%s %s output read by our own client: (-want +got)\n%s", service, op.Name, diff)
			}
		}
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := script.Wait(); err != nil {
		t.Error(err)
	}
}

// checkRequest decodes a request of botocore's and compares; then writes it as our own client and decodes again.
func checkRequest(t *testing.T, c *wire.Codec, l botocoreLine) {
	t.Helper()
	r := &wire.Request{Method: l.Method, Header: map[string][]string{}, Body: l.Body}
	r.Path, r.RawQuery, _ = strings.Cut(l.URL, "?")
	for k, v := range l.Headers {
		r.Header[textproto.CanonicalMIMEHeaderKey(k)] = []string{v}
	}
	for range 2 {
		m, err := c.Read(r)
		if err != nil {
			t.Errorf("%s %s: %v", l.Service, l.Operation, err)
			return
		}
		if m.Operation.Name != l.Operation {
			t.Errorf("%s %s came as %s", l.Service, l.Operation, m.Operation.Name)
			return
		}
		in, problems := c.Decode(m, nil)
		for _, p := range problems {
			if p.Kind != wire.Constraint {
				t.Errorf("%s %s: %s", l.Service, l.Operation, p.Message)
			}
		}
		if c.Model.Protocol == wire.EC2 && len(c.Unknown(m)) > 0 {
			t.Errorf("%s %s: unknown parameters %v", l.Service, l.Operation, c.Unknown(m))
		}
		got, want := c.Map(m.Operation, in), l.Value
		if c.Model.Protocol == wire.RESTXML {
			got, want = inHeaders(got), inHeaders(want)
		}
		if diff := cmp.Diff(normal(t, want), normal(t, got)); diff != "" {
			t.Errorf("%s %s input: (-botocore +Trellis)\n%s\n%s", l.Service, l.Operation, diff, r.Body)
			return
		}
		r = c.EncodeInput(m.Operation, in)
	}
}

// inHeaders leaves out of a message of S3 what botocore has in another form: Expires, a text in the model that it takes for
// a time, and bodies that are streams. Times in headers have whole seconds.
func inHeaders(m map[string]any) map[string]any {
	out := map[string]any{}
	b, _ := json.Marshal(m) // of texts, numbers, maps and lists
	m = nil
	_ = json.Unmarshal([]byte(strings.ReplaceAll(string(b), ".678Z", ".000Z")), &m)
	for k, v := range m {
		if k != "Expires" && k != "ExpiresString" && k != "Body" && k != "AnnotationPayload" {
			out[k] = v
		}
	}
	return out
}

// normal makes two values comparable: through JSON, member names with a capital, nothing empty.
func normal(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return capital(out)
}

// capital gives all names a capital first letter and leaves out empty structures, which have no form in a query.
func capital(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, sub := range v {
			if sub := capital(sub); !reflect.DeepEqual(sub, map[string]any{}) {
				m[strings.ToUpper(k[:1])+k[1:]] = sub
			}
		}
		return m
	case []any:
		for i := range v {
			v[i] = capital(v[i])
		}
	}
	return v
}

// fill sets every member of a value. above are the structs around it: a recursive type is not set within itself.
func fill(v reflect.Value, above ...reflect.Type) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !slices.Contains(above, v.Type().Elem()) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), above...)
		}
	case reflect.String:
		v.SetString("é&<>\" ' /")
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("\x00\xff<>"))
		} else if !slices.Contains(above, v.Type().Elem()) {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), above...)
			fill(v.Index(1), above...)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, k := range []string{"a key", "another"} {
			item := reflect.New(v.Type().Elem()).Elem()
			fill(item, above...)
			v.SetMapIndex(reflect.ValueOf(k), item)
		}
	case reflect.Struct:
		above = append(slices.Clone(above), v.Type())
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "_" {
				continue
			}
			fill(v.Field(i), above...)
			if v.Type().Field(0).Tag.Get("union") == "true" {
				break
			}
		}
	}
}
