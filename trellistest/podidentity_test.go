//go:build thorough

package trellistest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// cluster stands for the part of a Kubernetes cluster that matters to identities: it signs the tokens of service accounts
// and serves its keys, as kube-apiserver does below /.well-known and /openid.
type cluster struct {
	URL string
	key *rsa.PrivateKey
}

// startCluster starts one on the loopback of the host.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k := &cluster{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": k.URL, "jwks_uri": k.URL + "/openid/v1/jwks", "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /openid/v1/jwks", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	k.URL = server.URL
	return k
}

// token is the projected token of a pod of a service account, with the claims that kube-apiserver gives it.
func (k *cluster) token(t *testing.T, namespace, serviceAccount string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"iss": k.URL, "sub": "system:serviceaccount:" + namespace + ":" + serviceAccount, "aud": []string{"pods.eks.amazonaws.com"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(), "jti": "7d9f3a52-4a0e-4f3c-9d55-2f1f2a7a6c11",
		"kubernetes.io": map[string]any{"namespace": namespace, "node": map[string]any{"name": "node-1", "uid": "5f0c7d2e-4a55-4f6b-8a0e-3f0a5a1c9b01"},
			"pod":            map[string]any{"name": serviceAccount + "-6f7d8-abcde", "uid": "b9f0d7aa-0f6e-4b0e-a5d1-6a7c8d9e0f12"},
			"serviceaccount": map[string]any{"name": serviceAccount, "uid": "c1d2e3f4-1111-4222-8333-444455556666"}}})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestPodIdentity gives pods a role by Pod Identity's environment: unmodified boto3 finds it in a VPC and calls a service
// whose policy names the role and the namespace of the pod.
func TestPodIdentity(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	k := startCluster(t)
	makeRole(t, tr, "", "nodes")
	tr.Call(t, "", "iam", "CreateRole", map[string]any{"RoleName": "checkout", "AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`})
	tr.Call(t, "", "iam", "PutRolePolicy", map[string]any{"RoleName": "checkout", "PolicyName": "invoke",
		"PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`})
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true})["Vpc"].(map[string]any)
	block := vpc["Ipv6CidrBlockAssociationSet"].([]any)[0].(map[string]any)["Ipv6CidrBlock"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc["VpcId"], "CidrBlock": "10.0.0.0/24",
		"Ipv6CidrBlock": strings.Replace(block, "/56", "/64", 1)})["Subnet"].(map[string]any)["SubnetId"].(string)
	group := tr.Call(t, "", "ec2", "CreateSecurityGroup", map[string]any{"VpcId": vpc["VpcId"], "GroupName": "test", "Description": "test"})["GroupId"].(string)
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": group, "IpPermissions": []any{map[string]any{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
		"IpRanges": []any{map[string]any{"CidrIp": "10.0.0.0/16"}}, "Ipv6Ranges": []any{map[string]any{"CidrIpv6": block}}}}})
	instance := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet,
		"Ipv6AddressCount": 1, "SecurityGroupIds": []any{group}})["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{instance}}, "Reservations[0].Instances[0].State.Name", "running")
	_, service, dns := associate(t, tr, "orders", vpc["VpcId"].(string), group, "", 404)
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": service, "authType": "AWS_IAM"})
	tr.Call(t, "", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": service, "policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"AWS":"arn:aws:iam::111122223333:role/checkout"},"Action":"vpc-lattice-svcs:Invoke","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"shop"}}}]}`})

	// The cluster and its associations, by the aws CLI.
	ids := strings.Fields(tr.Shell(t, "", `
		aws eks create-cluster --name orders --role-arn arn:aws:iam::111122223333:role/nodes --resources-vpc-config subnetIds=`+subnet+` --tags trellis:oidc-issuer=`+k.URL+` --query cluster.status --output text
		aws eks describe-cluster --name orders --query 'cluster.[identity.oidc.issuer,resourcesVpcConfig.vpcId]' --output text
		for namespace in shop bank; do
			aws eks create-pod-identity-association --cluster-name orders --namespace $namespace --service-account till --role-arn arn:aws:iam::111122223333:role/checkout --query association.associationId --output text
		done`))
	if len(ids) != 5 || ids[0] != "ACTIVE" || ids[1] != k.URL || ids[2] != vpc["VpcId"] {
		t.Fatalf("the CLI says %v", ids)
	}
	const caller = "arn:aws:sts::111122223333:assumed-role/checkout/eks-orders-till-6f7d8-abcde-"
	requestID := regexp.MustCompile(`\[[0-9a-f-]{36}\]`)
	// ask runs a process in a pod.
	ask := func(agent, token string, url ...string) map[string]any {
		t.Helper()
		file := filepath.Join(t.TempDir(), "eks-pod-identity-token")
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		out := tr.Inside(t, instance, append([]string{"env", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + agent, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + file, "AWS_EC2_METADATA_DISABLED=true",
			filepath.Join(venv(t, "boto3"), "bin", "python3"), "-c", mustRead(t, "testdata/pod.py")}, url...)...)
		var got map[string]any
		if err := json.Unmarshal(requestID.ReplaceAll([]byte(out), []byte("[ID]")), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	const invalid = "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not pods.example.com"
	always := map[string]any{"no token": []any{400., "Service account token cannot be empty"}, "by a name": []any{403., invalid}, "elsewhere": []any{404., "404 page not found"},
		"bearer": []any{400., "Service account token cannot be parsed: token is malformed: could not base64 decode header: illegal base64 data at input byte 6"},
		"torn":   []any{400., "[ID]: (InvalidTokenException): The token included in the request is not valid: The token's signature is not valid., fault: client"}}
	url := "http://" + dns + "/"
	check := func(name, agent, token string, want map[string]any, url ...string) {
		t.Helper()
		all := maps.Clone(always)
		maps.Copy(all, want)
		want = all
		got := ask(agent, token, url...)
		if who, ok := got["caller"].(string); ok {
			got["caller"] = who[:min(len(who), len(caller))]
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
	given := map[string]any{"method": "container-role", "account": "111122223333", "caller": caller, "whole": []any{200., []any{"AccessKeyId", "AccountId", "Expiration", "SecretAccessKey", "Token"}}}
	with := func(status float64) map[string]any {
		m := maps.Clone(given)
		m["status"] = status
		return m
	}
	const ipv4, ipv6 = "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"
	check("shop", ipv4, k.token(t, "shop", "till"), with(404), url)
	check("shop by IPv6", ipv6, k.token(t, "shop", "till"), with(404), url)
	check("bank", ipv4, k.token(t, "bank", "till"), with(403), url)
	const none = "[ID]: (ResourceNotFoundException): No association found for the service account guest in the namespace shop of the cluster orders., fault: client"
	check("guest", ipv4, k.token(t, "shop", "guest"), map[string]any{"whole": []any{404., none},
		"error": "Error when retrieving credentials from container-role: Error retrieving metadata: Received non 200 response 404 from container metadata: " + none}, url)
	stranger := []any{404., "[ID]: (ResourceNotFoundException): No cluster found for the issuer https://other.example.com., fault: client"}
	check("another cluster", ipv4, (&cluster{URL: "https://other.example.com", key: k.key}).token(t, "shop", "till"), map[string]any{"whole": stranger, "torn": stranger})

	// The API that agents on nodes ask.
	out := tr.Python(t, "", `
import boto3, json, sys
c = boto3.client("eks-auth")
a = c.assume_role_for_pod_identity(clusterName="orders", token=sys.argv[1])
s = boto3.client("sts", aws_access_key_id=a["credentials"]["accessKeyId"], aws_secret_access_key=a["credentials"]["secretAccessKey"], aws_session_token=a["credentials"]["sessionToken"])
try:
    c.assume_role_for_pod_identity(clusterName="orders", token=sys.argv[1][:-8] + "AAAAAAAA")
except c.exceptions.InvalidTokenException as e:
    refused = e.response["ResponseMetadata"]["HTTPStatusCode"]
print(json.dumps([a["subject"], a["audience"], a["podIdentityAssociation"], a["assumedRoleUser"]["arn"] == s.get_caller_identity()["Arn"], refused]))`, k.token(t, "shop", "till"))
	want := `[{"namespace": "shop", "serviceAccount": "till"}, "pods.eks.amazonaws.com", {"associationArn": "arn:aws:eks:` + tr.Region + `:111122223333:podidentityassociation/orders/` + ids[3] + `", "associationId": "` + ids[3] + `"}, true, 400]`
	if strings.TrimSpace(out) != want {
		t.Errorf("EKS Auth:\ngot  %s\nwant %s", out, want)
	}

	tr.Call(t, "", "eks", "DeletePodIdentityAssociation", map[string]any{"clusterName": "orders", "associationId": ids[3]})
	check("without an association", ipv4, k.token(t, "shop", "till"), map[string]any{"whole": []any{404., strings.Replace(none, "guest", "till", 1)}})
}
