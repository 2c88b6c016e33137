package certificate_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
)

// config is what openssl makes certificates of: an authority, one below it, and leaves.
const config = `
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Orders.example.com
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = keyCertSign,cRLSign
[leaf]
subjectAltName = DNS:Orders.example.com,DNS:*.orders.example.com,IP:10.0.0.1
extendedKeyUsage = serverAuth,1.2.3.4
keyUsage = digitalSignature,keyEncipherment
`

// made is the directory with what openssl makes for the tests of Parse.
func made(t testing.TB) string {
	dir := t.TempDir()
	names := make([]string, 0, 300)
	for i := range 300 {
		names = append(names, fmt.Sprintf("DNS:service-%03d.example.com", i))
	}
	write(t, dir, "config", config+"[many]\nsubjectAltName = "+strings.Join(names, ",")+"\n")
	run := func(line string) {
		t.Helper()
		openssl(t, dir, strings.Fields(line)...)
	}
	run("genrsa -out rsa2048.key 2048")                                         // PKCS #8
	run("rsa -in rsa2048.key -traditional -out rsa2048.pkcs1")                  // PKCS #1
	run("rsa -in rsa2048.key -aes128 -passout pass:secret -out rsa2048.locked") // encrypted PKCS #8
	run("rsa -in rsa2048.key -aes128 -passout pass:secret -traditional -out rsa2048.oldlocked")
	run("genrsa -out other.key 2048")
	run("genrsa -out rsa1024.key 1024")
	run("genrsa -out rsa3072.key 3072")
	run("genrsa -out rsa1536.key 1536")
	run("ecparam -name prime256v1 -genkey -out p256.params") // parameters, then SEC 1
	run("ec -in p256.params -out p256.sec1")
	run("pkcs8 -topk8 -nocrypt -in p256.params -out p256.key")
	run("ec -in p256.params -param_enc explicit -out p256.explicit")
	run("ecparam -name secp384r1 -genkey -noout -out p384.sec1")
	run("ecparam -name secp521r1 -genkey -noout -out p521.sec1")
	run("ecparam -name secp224r1 -genkey -noout -out p224.sec1")
	run("genpkey -algorithm ed25519 -out ed25519.key")
	self := func(key string) {
		run("req -x509 -config config -extensions leaf -days 30 -key " + key + " -out " + key + ".pem")
	}
	for _, key := range []string{"rsa2048.key", "rsa1024.key", "rsa3072.key", "rsa1536.key", "p256.sec1", "p384.sec1", "p521.sec1", "p224.sec1", "ed25519.key"} {
		self(key)
	}
	run("req -x509 -config config -extensions many -days 30 -key rsa2048.key -out many.pem")
	run("req -x509 -config config -subj /CN=Root -extensions ca -days 30 -key other.key -out root.pem")
	run("req -x509 -config config -subj /O=Example/CN=Middle -extensions ca -days 30 -key rsa3072.key -CA root.pem -CAkey other.key -out middle.pem")
	run("req -x509 -config config -extensions leaf -days 30 -key rsa2048.key -CA middle.pem -CAkey rsa3072.key -out leaf.pem")
	run("req -new -config config -key rsa2048.key -out leaf.request")
	run("x509 -req -in leaf.request -days 30 -signkey rsa2048.key -out plain.pem") // no extensions
	run("x509 -in leaf.pem -outform DER -out leaf.der")
	run("x509 -in leaf.pem -text -out leaf.text")
	return dir
}

// TestParse reads what openssl makes: every form of key and chain that ACM takes, and what it refuses.
func TestParse(t *testing.T) {
	dir := made(t)
	read := func(names string) []byte {
		var all []byte
		for _, n := range strings.Fields(names) {
			text, err := os.ReadFile(filepath.Join(dir, n))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		return all
	}
	for _, test := range []struct {
		body, key, chain string // names of files
		want             string // algorithm, or a part of the error
		later            time.Duration
	}{
		{"rsa2048.key.pem", "rsa2048.key", "", "RSA_2048", 0},
		{"rsa2048.key.pem", "rsa2048.pkcs1", "", "RSA_2048", 0},
		{"rsa1024.key.pem", "rsa1024.key", "", "RSA_1024", 0},
		{"rsa3072.key.pem", "rsa3072.key", "", "RSA_3072", 0},
		{"p256.sec1.pem", "p256.sec1", "", "EC_prime256v1", 0},
		{"p256.sec1.pem", "p256.params", "", "EC_prime256v1", 0},
		{"p256.sec1.pem", "p256.key", "", "EC_prime256v1", 0},
		{"p384.sec1.pem", "p384.sec1", "", "EC_secp384r1", 0},
		{"p521.sec1.pem", "p521.sec1", "", "EC_secp521r1", 0},
		{"many.pem", "rsa2048.key", "", "RSA_2048", 0},
		{"leaf.pem", "rsa2048.key", "middle.pem", "RSA_2048", 0},
		{"leaf.pem", "rsa2048.key", "middle.pem root.pem", "RSA_2048", 0},
		{"leaf.text", "rsa2048.key", "middle.pem", "RSA_2048", 0},

		{"rsa2048.key.pem", "rsa2048.locked", "", "The private key is encrypted", 0},
		{"rsa2048.key.pem", "rsa2048.oldlocked", "", "The private key is encrypted", 0},
		{"rsa2048.key.pem", "other.key", "", "does not match", 0},
		{"rsa2048.key.pem", "p256.key", "", "does not match", 0},
		{"rsa2048.key.pem", "config", "", "The private key is not in a valid PEM format", 0},
		{"rsa2048.key.pem", "rsa2048.key.pem", "", "The private key is not in a valid PEM format", 0},
		{"rsa2048.key.pem", "rsa2048.key other.key", "", "more than one key", 0},
		{"p256.sec1.pem", "p256.explicit", "", "The private key is not supported", 0},
		{"rsa1536.key.pem", "rsa1536.key", "", "The private key length", 0},
		{"p224.sec1.pem", "p224.sec1", "", "The private key algorithm is not supported", 0},
		{"ed25519.key.pem", "ed25519.key", "", "The private key algorithm is not supported", 0},
		{"leaf.der", "rsa2048.key", "middle.pem", "Unable to parse certificate", 0},
		{"config", "rsa2048.key", "", "Unable to parse certificate", 0},
		{"rsa2048.key", "rsa2048.key", "", "Unable to parse certificate", 0},
		{"leaf.pem middle.pem", "rsa2048.key", "", "more than one certificate", 0},
		{"plain.pem", "rsa2048.key", "", "version 3", 0},
		{"rsa2048.key.pem", "rsa2048.key", "", "has expired", 31 * 24 * time.Hour},
		{"rsa2048.key.pem", "rsa2048.key", "", "not valid yet", -24 * time.Hour},
		{"leaf.pem", "rsa2048.key", "", "not a valid self signed", 0},
		{"leaf.pem", "rsa2048.key", "root.pem middle.pem", "invalid certificate is: 0", 0},
		{"leaf.pem", "rsa2048.key", "middle.pem middle.pem", "invalid certificate is: 1", 0},
		{"leaf.pem", "rsa2048.key", "leaf.pem middle.pem", "invalid certificate is: 0", 0},
		{"leaf.pem", "rsa2048.key", "root.pem", "invalid certificate is: 0", 0},
		{"leaf.pem", "rsa2048.key", "config", "chain is not in a valid PEM format", 0},
		{"leaf.pem", "rsa2048.key", "rsa2048.key", "chain is not in a valid PEM format", 0},
		{"leaf.pem", "rsa2048.key", "middle.pem" + strings.Repeat(" root.pem", 30), "at most 20 certificates", 0},
	} {
		p, err := certificate.Parse(read(test.body), read(test.key), read(test.chain), time.Now().Add(test.later))
		if err != nil {
			var refused *trellis.Error
			if !errors.As(err, &refused) || refused.Code != "ValidationException" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s, %s: %v", test.body, test.key, test.chain, err)
			}
			continue
		}
		if string(p.Algorithm) != test.want {
			t.Errorf("%s, %s, %s: taken as %s, want %s", test.body, test.key, test.chain, p.Algorithm, test.want)
			continue
		}
		if _, err := tls.X509KeyPair([]byte(p.Body+p.Chain), []byte(p.Key.Reveal())); err != nil {
			t.Errorf("%s, %s: crypto/tls: %v", test.body, test.key, err)
		}
	}

	p, err := certificate.Parse(read("leaf.pem"), read("rsa2048.key"), read("middle.pem"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var c trellis.Certificate
	p.Fill(&c)
	first, names := p.Names()
	if first != "orders.example.com" || strings.Join(names, " ") != "orders.example.com *.orders.example.com" {
		t.Errorf("names %q %q", first, names)
	}
	if strings.Join(c.KeyUsages, " ") != "DIGITAL_SIGNATURE KEY_ENCIPHERMENT" || strings.Join(c.ExtendedKeyUsages, " ") != "TLS_WEB_SERVER_AUTHENTICATION CUSTOM" ||
		c.SignatureAlgorithm != "SHA256WITHRSA" || c.Issuer != "Example" || c.Subject != "CN=Orders.example.com" || len(c.Serial)%3 != 2 {
		t.Errorf("%+v", c)
	}
	if s := fmt.Sprintf("%v %+v %#v", p, *p, c); strings.Contains(s, "PRIVATE KEY") {
		t.Error("a private key is printed")
	}
	if p, err = certificate.Parse(read("many.pem"), read("rsa2048.key"), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, names = p.Names(); len(names) != 300 {
		t.Errorf("%d names of 300", len(names))
	}
}

// TestCovers compares names with what a certificate is for.
func TestCovers(t *testing.T) {
	for _, test := range []struct {
		names, name string
		want        bool
	}{
		{"orders.example.com", "orders.example.com", true},
		{"orders.example.com", "example.com", false},
		{"*.example.com", "orders.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "a.orders.example.com", false},
		{"*.example.com", "*.example.com", true},
		{"a.example.com *.b.example.com", "x.b.example.com", true},
		{"*.com", "localhost", false},
		{"", "orders.example.com", false},
	} {
		c := trellis.Certificate{Names: strings.Fields(test.names)}
		if c.Covers(test.name) != test.want {
			t.Errorf("%s covers %s: want %t", test.names, test.name, test.want)
		}
	}
}
