package trellis

// KeyPair is the public key of a pair by which users log in to instances of EC2. It is a record: nobody logs in to a network namespace.
// Who made the pair has the private key; it is never kept.
type KeyPair struct {
	Meta
	Name        string `json:"name"` // unique in its account
	Type        string `json:"type"` // rsa or ed25519
	Fingerprint string `json:"fingerprint"`
	PublicKey   string `json:"publicKey"` // a line as OpenSSH writes it, the name at its end
}

// Kind is KindKeyPair.
func (*KeyPair) Kind() Kind { return KindKeyPair }

// ARN is arn:aws:ec2:region:account:key-pair/key-….
func (k *KeyPair) ARN(region string) string { return EC2ARN(region, k.Account, "key-pair/"+k.ID) }
