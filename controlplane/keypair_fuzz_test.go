package controlplane

import "testing"

// FuzzImportedKey reads public keys of clients: what is taken is written as OpenSSH does, and read again as the same.
func FuzzImportedKey(f *testing.F) {
	const ed = "AAAAC3NzaC1lZDI1NTE5AAAAIBRqaW7v+q8sE85Kj00C2yU5mpOzzlpWJ6FkQjEz+iKw"
	for _, s := range []string{"ssh-ed25519 " + ed + " me", sshBegin + "\nComment: \\\nx\n" + ed + "\n" + sshEnd,
		"MCowBQYDK2VwAyEAFGppbu/6rywTzkqPTQLbJTmak7POWlYnoWRCMTP6IrA=", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", "ssh-rsa", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := importedKey(b)
		if err != nil {
			return
		}
		k, err := describeKey("mine", key, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := importedKey([]byte(k.PublicKey))
		if err != nil || string(again.Marshal()) != string(key.Marshal()) {
			t.Errorf("%s: %v", k.PublicKey, err)
		}
	})
}
