//go:build thorough

package trellistest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestSecrets gives Trellis secrets of every kind and looks for them in the data directory and in the log: none is there in
// the clear, whether Trellis runs, was killed or was backed up. The administrator's own key, in the file that is made to give
// it, is the one that is left out.
func TestSecrets(t *testing.T) {
	t.Parallel()
	tr := StartProcess(t)
	secrets := giveSecrets(t, tr)
	wantHidden(t, tr, secrets)
	tr.Kill()
	wantHidden(t, tr, secrets)
	tr.Restart(t)
	wantHidden(t, tr, secrets)
}

// giveSecrets makes secrets of every kind in a Trellis, and returns them by what they are.
func giveSecrets(t *testing.T, tr *Process) map[string][]byte {
	t.Helper()
	secrets := map[string][]byte{}
	tr.Call(t, "", "iam", "CreateUser", map[string]any{"UserName": "u"})
	key := tr.Call(t, "", "iam", "CreateAccessKey", map[string]any{"UserName": "u"})["AccessKey"].(map[string]any)
	secrets["access key"] = []byte(key["SecretAccessKey"].(string))
	session := tr.Call(t, "", "sts", "GetSessionToken", nil)["Credentials"].(map[string]any)
	secrets["session's key"], secrets["session token"] = []byte(session["SecretAccessKey"].(string)), []byte(session["SessionToken"].(string))
	secrets["parameter"] = []byte("the-value-of-a-secure-string")
	tr.Call(t, "", "ssm", "PutParameter", map[string]any{"Name": "p", "Type": "SecureString", "Value": string(secrets["parameter"])})
	secrets["user data"], secrets["other user data"] = []byte("#!/bin/sh\necho the-user-data-of-an-instance"), []byte("#!/bin/sh\necho what-it-was-changed-to")
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.99.0.0/16"})["Vpc"].(map[string]any)["VpcId"]
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc, "CidrBlock": "10.99.0.0/24"})["Subnet"].(map[string]any)["SubnetId"]
	instance := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet,
		"UserData": base64.StdEncoding.EncodeToString(secrets["user data"])})["Instances"].([]any)[0].(map[string]any)["InstanceId"]
	tr.Call(t, "", "ec2", "StopInstances", map[string]any{"InstanceIds": []any{instance}})
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{instance}}, "Reservations[0].Instances[0].State.Name", "stopped")
	tr.Call(t, "", "ec2", "ModifyInstanceAttribute", map[string]any{"InstanceId": instance, "UserData": map[string]any{"Value": secrets["other user data"]}})
	certificate, private := selfSigned(t)
	block, _ := pem.Decode(private)
	secrets["private key"], secrets["private key's bytes"] = bytes.Split(private, []byte("\n"))[1], block.Bytes
	tr.Call(t, "", "acm", "ImportCertificate", map[string]any{"Certificate": certificate, "PrivateKey": private})
	made := tr.Call(t, "", "kms", "CreateKey", nil)["KeyMetadata"].(map[string]any)["KeyId"].(string)
	secrets["data key"] = blob(t, tr.Call(t, "", "kms", "GenerateDataKey", map[string]any{"KeyId": made, "KeySpec": "AES_256"})["Plaintext"])
	secrets["pair's private key"] = keptPair(t, tr)
	return secrets
}

// TestCrash ends Trellis by the signals with which Go's runtime prints all stacks and dumps core, where the limits let it and the
// runtime is told to: no core is left, and no secret is in what was printed. The same Trellis leaves a core when it is told that it may, as
// any other process does here.
func TestCrash(t *testing.T) {
	t.Parallel()
	// crash gives Trellis secrets, ends it by a signal, and tells how it ended.
	crash := func(t *testing.T, signal syscall.Signal, flags ...string) (dir string, how syscall.WaitStatus) {
		dir = t.TempDir()
		tr := StartProcess(t, func(cmd *exec.Cmd) {
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOTRACEBACK=crash")
			cmd.Args = slices.Concat([]string{"sh", "-c", `ulimit -c unlimited; exec "$0" "$@"`}, cmd.Args, flags)
			cmd.Path = "/bin/sh"
		})
		secrets := giveSecrets(t, tr)
		if err := tr.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = tr.cmd.Wait() // it tells that the process was killed
		wantHidden(t, tr, secrets)
		if n := bytes.Count(tr.log.Bytes(), []byte("\ngoroutine ")); n < 10 {
			t.Errorf("the stacks of %d goroutines are printed", n)
		}
		how = tr.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if how.Signal() != syscall.SIGABRT {
			t.Errorf("it ended by %v", how.Signal())
		}
		return dir, how
	}
	for _, signal := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT} {
		t.Run(signal.String(), func(t *testing.T) {
			dir, how := crash(t, signal)
			if left, err := os.ReadDir(dir); how.CoreDump() || len(left) > 0 || err != nil {
				t.Errorf("a core was dumped: %v, %v %v", how.CoreDump(), left, err)
			}
		})
	}
	t.Run("allowed", func(t *testing.T) {
		other := exec.Command("sh", "-c", "ulimit -c unlimited; kill -ABRT $$")
		other.Dir = t.TempDir()
		_ = other.Run() // it tells that the process was killed
		may := other.ProcessState.Sys().(syscall.WaitStatus).CoreDump()
		if dir, how := crash(t, syscall.SIGABRT, "--core-dumps"); how.CoreDump() != may {
			t.Errorf("a core was dumped into %s: %v, and another process may: %v", dir, how.CoreDump(), may)
		}
	})
}

// keptPair makes a key of KMS that is a pair, and returns the part of its private key that is known outside, its point, in the
// form in which keys are kept.
func keptPair(t *testing.T, tr *Process) []byte {
	t.Helper()
	id := tr.Call(t, "", "kms", "CreateKey", map[string]any{"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})["KeyMetadata"].(map[string]any)["KeyId"]
	der := blob(t, tr.Call(t, "", "kms", "GetPublicKey", map[string]any{"KeyId": id})["PublicKey"])
	return []byte(hex.EncodeToString(der[len(der)-64:]))
}

// blob is the bytes of an answer, however the protocol has them.
func blob(t *testing.T, v any) []byte {
	t.Helper()
	raw, is := v.([]byte)
	if text, ok := v.(string); ok {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	} else if !is {
		t.Fatalf("%T is no blob", v)
	}
	return raw
}

// wantHidden looks for secrets, as they are and in base64, in the files and the log of a Trellis.
func wantHidden(t *testing.T, tr *Process, secrets map[string][]byte) {
	t.Helper()
	look := func(where string, text []byte) {
		for name, secret := range secrets {
			if len(secret) < 16 {
				t.Fatalf("%s: %q is too short to look for", name, secret)
			}
			if bytes.Contains(text, secret) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(secret))) {
				t.Errorf("%s holds the %s in the clear", where, name)
			}
		}
	}
	look("the log", tr.log.Bytes())
	files := 0
	err := filepath.WalkDir(tr.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		look(path, text)
		return err
	})
	if err != nil || files < 5 {
		t.Fatalf("%d files: %v", files, err)
	}
}

// selfSigned makes a certificate and its key, in PEM.
func selfSigned(t *testing.T) (certificate, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "secrets.example.com"}, DNSNames: []string{"secrets.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}
