package controlplane_test

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// One public key of RSA in all forms, and what openssl says of it: openssl rsa -pubout -outform DER | openssl md5 -c.
const (
	rsaBody        = "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDjfF1OGN+RGXq8Ysx/U0ffjByUkeSFP0L6wyfTUVWH5nIBsFmPMTyio/07IO/9g0FsvNSvyqtpipXqj+PGX7zB6m2BSrT8Ggg085KsAlbj/UwrEAdSezr2izkc83sA0O5PUuDX2H7RWQhvuwuevMOy9zp9u8HuOUVcu+NIptEXiw=="
	rsaDER         = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDjfF1OGN+RGXq8Ysx/U0ffjByUkeSFP0L6wyfTUVWH5nIBsFmPMTyio/07IO/9g0FsvNSvyqtpipXqj+PGX7zB6m2BSrT8Ggg085KsAlbj/UwrEAdSezr2izkc83sA0O5PUuDX2H7RWQhvuwuevMOy9zp9u8HuOUVcu+NIptEXiwIDAQAB"
	rsaFingerprint = "7e:2e:97:46:18:a4:30:67:fe:2d:5f:37:7b:b9:55:c1"
)

// One of ED25519, and what ssh-keygen -l says of it, with base 64's padding.
const (
	edKey         = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBRqaW7v+q8sE85Kj00C2yU5mpOzzlpWJ6FkQjEz+iKw me@host"
	edFingerprint = "KxO1j5PAJi6ttfteXv9TIqjeBRJydyQ+1zeDZ7zudlM="
)

// TestImportedKeyPairs imports public keys in each form that EC2 takes, and what it does not.
func TestImportedKeyPairs(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	rfc4716 := "---- BEGIN SSH2 PUBLIC KEY ----\r\nSubject: me\r\nComment: \"1024-bit \\\r\nRSA\"\r\n" + rsaBody[:70] + "\r\n" + rsaBody[70:] + "\r\n---- END SSH2 PUBLIC KEY ----\r\n"
	for what, x := range map[string]struct{ material, fingerprint, code string }{
		"OpenSSH":                    {"ssh-rsa " + rsaBody + " me@host\n", rsaFingerprint, ""},
		"OpenSSH without comment":    {"ssh-rsa " + rsaBody, rsaFingerprint, ""},
		"ED25519":                    {edKey, edFingerprint, ""},
		"RFC 4716":                   {rfc4716, rsaFingerprint, ""},
		"DER in base 64":             {rsaDER, rsaFingerprint, ""},
		"PEM":                        {"-----BEGIN PUBLIC KEY-----\n" + rsaDER + "\n-----END PUBLIC KEY-----\n", rsaFingerprint, ""},
		"nothing":                    {"", "", "InvalidKey.Format"},
		"a word":                     {"mine", "", "InvalidKey.Format"},
		"a path":                     {"file:///home/me/.ssh/id_rsa.pub", "", "InvalidKey.Format"},
		"half a key":                 {"ssh-rsa " + rsaBody[:80], "", "InvalidKey.Format"},
		"half a key of RFC 4716":     {rfc4716[:100], "", "InvalidKey.Format"},
		"another type than it is":    {"ssh-ed25519 " + rsaBody, "", "InvalidKey.Format"},
		"two keys":                   {"ssh-rsa " + rsaBody + "\n" + edKey, "", "InvalidKey.Format"},
		"ECDSA":                      {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBF6klDosY9w9IAmjpkfi7RcPekDacIWb4v4iNJTLIFBlaH9JsoicbBIj7jB9d/7PsZaIbuGXjmD4CcTk5i5ootU=", "", "InvalidKey.Format"},
		"a private key":              {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n", "", "InvalidKey.Format"},
		"RSA of more than 4096 bits": {"ssh-rsa " + largeRSA(), "", "InvalidKeyPair.Format"},
	} {
		name := strings.ReplaceAll(what, " ", "-")
		k, _, err := l.p.ImportKeyPair(ctx, l.c, name, []byte(x.material), nil)
		if code(t, err) != x.code {
			t.Errorf("%s: got %v, want %q", what, err, x.code)
			continue
		}
		if err == nil && (k.Fingerprint != x.fingerprint || !strings.HasSuffix(k.PublicKey, " "+name)) {
			t.Errorf("%s: %+v", what, k)
		}
	}
}

// largeRSA is the body of a public key of RSA with 4104 bits.
func largeRSA() string {
	n := make([]byte, 514)
	n[1], n[513] = 0xff, 1
	return base64.StdEncoding.EncodeToString(ssh.Marshal(struct{ Name, E, N string }{"ssh-rsa", "\x01\x00\x01", string(n)}))
}

// TestCreatedKeyPairs makes key pairs of both types, and holds the private keys against what is kept of them.
func TestCreatedKeyPairs(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	for typ, begin := range map[string]string{"rsa": "-----BEGIN RSA PRIVATE KEY-----\n", "ed25519": "-----BEGIN OPENSSH PRIVATE KEY-----\n"} {
		k, private, _, err := l.p.CreateKeyPair(ctx, l.c, typ+" key", typ, map[string]string{"a": typ})
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.ParsePrivateKey([]byte(private.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.PublicKey, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+" "+typ+" key"; got != want || k.Type != typ || !strings.HasPrefix(private.Reveal(), begin) {
			t.Errorf("%s: %+v, want %s", typ, k, want)
		}
		want := strings.TrimPrefix(ssh.FingerprintSHA256(signer.PublicKey()), "SHA256:") + "="
		if typ == "rsa" {
			block, _ := pem.Decode([]byte(private.Reveal()))
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			if err != nil || key.N.BitLen() != 2048 {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			want = strings.ReplaceAll(fmt.Sprintf("% x", sha1.Sum(der)), " ", ":")
		}
		if k.Fingerprint != want {
			t.Errorf("%s: fingerprint %s, want %s", typ, k.Fingerprint, want)
		}
	}
}

// TestKeyPairs names, finds and deletes key pairs, and launches instances with them.
func TestKeyPairs(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	mine, _, err := l.p.ImportKeyPair(ctx, l.c, "mine", []byte(edKey), map[string]string{"team": "a"})
	wantCode(t, err, "")
	_, _, err = l.p.ImportKeyPair(ctx, l.c, "mine", []byte(edKey), nil)
	wantCode(t, err, "InvalidKeyPair.Duplicate")
	_, _, _, err = l.p.CreateKeyPair(ctx, l.c, "mine", "", nil)
	wantCode(t, err, "InvalidKeyPair.Duplicate")
	other, _, err := l.p.ImportKeyPair(ctx, l.c, "my other", []byte("ssh-rsa "+rsaBody), nil)
	wantCode(t, err, "")
	for _, name := range []string{" mine", "mine\n", "méin", strings.Repeat("x", 256)} {
		_, _, err := l.p.ImportKeyPair(ctx, l.c, name, []byte(edKey), nil)
		wantCode(t, err, "InvalidParameterValue")
	}
	_, _, err = l.p.ImportKeyPair(ctx, l.c, "", []byte(edKey), nil)
	wantCode(t, err, "MissingParameter")
	dry := l.c
	dry.DryRun = true
	_, _, err = l.p.ImportKeyPair(ctx, dry, "dry", []byte(edKey), nil)
	wantCode(t, err, "DryRunOperation")

	filter := func(name, value string) controlplane.Query {
		return controlplane.Query{Filters: []controlplane.Filter{{Name: name, Values: []string{value}}}}
	}
	for _, x := range []struct {
		names []string
		q     controlplane.Query
		want  []*trellis.KeyPair
		code  string
	}{
		{nil, controlplane.Query{}, []*trellis.KeyPair{mine, other}, ""},
		{[]string{"mine"}, controlplane.Query{}, []*trellis.KeyPair{mine}, ""},
		{nil, controlplane.Query{IDs: []string{other.ID}}, []*trellis.KeyPair{other}, ""},
		{[]string{"mine"}, controlplane.Query{IDs: []string{other.ID}}, nil, ""},
		{[]string{"yours"}, filter("key-name", "mine"), nil, "InvalidKeyPair.NotFound"},
		{nil, controlplane.Query{IDs: []string{"key-0123456789abcdef0"}}, nil, "InvalidKeyPair.NotFound"},
		{nil, filter("key-name", "my*"), []*trellis.KeyPair{other}, ""},
		{nil, filter("key-pair-id", mine.ID), []*trellis.KeyPair{mine}, ""},
		{nil, filter("fingerprint", rsaFingerprint), []*trellis.KeyPair{other}, ""},
		{nil, filter("tag:team", "a"), []*trellis.KeyPair{mine}, ""},
		{nil, filter("colour", "a"), nil, "InvalidParameterValue"},
	} {
		got, err := l.p.KeyPairs(ctx, l.c, x.names, x.q)
		names := map[string]bool{}
		for _, k := range got {
			names[k.Name] = true
		}
		for _, k := range x.want {
			if !names[k.Name] {
				t.Errorf("%v %+v: %s is not found", x.names, x.q, k.Name)
			}
		}
		if code(t, err) != x.code || len(got) != len(x.want) {
			t.Errorf("%v %+v: %v, %v", x.names, x.q, got, err)
		}
	}
	_, err = l.p.CreateTags(ctx, l.c, []string{other.ID}, map[string]string{"team": "b"})
	wantCode(t, err, "")
	if got := must[[]controlplane.ResourceTag](t)(l.p.Tags(ctx, l.c, []controlplane.Filter{{Name: "resource-type", Values: []string{"key-pair"}}})); len(got) != 2 {
		t.Errorf("tags: %+v", got)
	}

	_, err = l.run(t, controlplane.NewInstances{InstanceSettings: trellis.InstanceSettings{KeyName: "yours"}})
	wantCode(t, err, "InvalidKeyPair.NotFound")
	instances, err := l.run(t, controlplane.NewInstances{InstanceSettings: trellis.InstanceSettings{KeyName: "mine"}})
	if err != nil || instances[0].KeyName != "mine" {
		t.Errorf("%+v, %v", instances, err)
	}

	_, _, err = l.p.DeleteKeyPair(ctx, l.c, "", "")
	wantCode(t, err, "MissingParameter")
	for _, x := range []struct{ name, id, deleted string }{
		{"yours", "", ""}, {"mine", other.ID, ""}, {"mine", "", mine.ID}, {"mine", "", ""}, {"", other.ID, other.ID},
	} {
		if got, _, err := l.p.DeleteKeyPair(ctx, l.c, x.name, x.id); err != nil || got != x.deleted {
			t.Errorf("delete %q %q: %q, %v", x.name, x.id, got, err)
		}
	}
	_, _, err = l.p.ImportKeyPair(ctx, l.c, "mine", []byte(edKey), nil) // its name is free again
	wantCode(t, err, "")
}
