# Makes an authority, a client's certificate of RSA and one on a curve below it, one with a SPIFFE id and no name, one below an
# authority between, one that is revoked, and one of another authority.
cat >config <<'C'
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
subjectAltName = DNS:client.example.com, URI:https://client.example.com/
[svid]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = critical, URI:spiffe://example.org/orders
[authority]
database = index
crlnumber = number
default_md = sha256
default_crl_days = 30
C
: >index
echo 01 >number
root() { openssl req -x509 -config config -extensions ca -newkey rsa:2048 -nodes -days 30 -subj "$2" -keyout "$1.key" -out "$1.pem"; }
# client NAME SUBJECT EXTENSIONS BY KEY…
client() {
  local name=$1 subject=$2 extensions=$3 by=$4
  shift 4
  openssl req -x509 -config config -extensions "$extensions" "$@" -nodes -days 20 -subj "$subject" -CA "$by.pem" -CAkey "$by.key" -keyout "$name.key" -out "$name.pem"
}
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256)
root ca "/O=Example/OU=Platform/CN=Example Root"
root other "/O=Example/OU=Platform/CN=Example Root"
client middle "/O=Example/CN=Example Middle" ca ca "${curve[@]}"
client orders "/O=Example/OU=Shop/CN=orders" client ca -newkey rsa:2048
client curve "/O=Example/OU=Shop/CN=curve" client ca "${curve[@]}"
client svid "/" svid ca "${curve[@]}"
client below "/O=Example/CN=below" client middle "${curve[@]}"
client revoked "/O=Example/CN=revoked" client ca "${curve[@]}"
client stranger "/O=Example/CN=orders" client other "${curve[@]}"
openssl ca -config config -name authority -cert ca.pem -keyfile ca.key -revoke revoked.pem
openssl ca -config config -name authority -cert ca.pem -keyfile ca.key -gencrl -out crl.pem
