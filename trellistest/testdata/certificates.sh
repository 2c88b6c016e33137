# Certificates with the aws CLI: prints one JSON line of what was seen. Needs DIR, a directory.
cd "$DIR"
openssl req -x509 -newkey rsa:2048 -noenc -days 30 -subj /CN=orders.example.com -addext subjectAltName=DNS:orders.example.com,DNS:*.orders.example.com \
  -keyout key.pem -out cert.pem 2>/dev/null
arn=$(aws acm import-certificate --certificate fileb://cert.pem --private-key fileb://key.pem --tags Key=team,Value=orders --query CertificateArn --output text)
imported=$(aws acm describe-certificate --certificate-arn "$arn" --query 'Certificate.[Type,Status,KeyAlgorithm,SubjectAlternativeNames[1],RenewalEligibility]' --output text | tr '\t' ' ')
aws acm get-certificate --certificate-arn "$arn" --query Certificate --output text > got.pem
same=$(diff -B cert.pem got.pem >&2 && echo yes)
aws acm add-tags-to-certificate --certificate-arn "$arn" --tags Key=stage,Value=test
aws acm remove-tags-from-certificate --certificate-arn "$arn" --tags Key=team
tags=$(aws acm list-tags-for-certificate --certificate-arn "$arn" --query 'Tags[].[Key,Value]' --output text | tr '\t' '=')

service=$(aws vpc-lattice create-service --name orders --custom-domain-name orders.example.com --certificate-arn "$arn" --query arn --output text)
used=$(aws acm describe-certificate --certificate-arn "$arn" --query 'Certificate.InUseBy[0]' --output text)
[ "$used" = "$service" ] || { echo "used by $used, not $service" >&2; exit 1; }
refused=$(aws acm delete-certificate --certificate-arn "$arn" 2>&1 | grep -o 'ResourceInUseException' || true)

other=$(aws acm request-certificate --domain-name orders.example.com --validation-method DNS --idempotency-token once --query CertificateArn --output text)
again=$(aws acm request-certificate --domain-name orders.example.com --validation-method DNS --idempotency-token once --query CertificateArn --output text)
[ "$other" = "$again" ] || { echo "the token made $other and $again" >&2; exit 1; }
until [ "$(aws acm describe-certificate --certificate-arn "$other" --query Certificate.Status --output text)" = ISSUED ]; do :; done
record=$(aws acm describe-certificate --certificate-arn "$other" --query 'Certificate.DomainValidationOptions[0].[ValidationStatus,ResourceRecord.Type]' --output text | tr '\t' ' ')
aws acm get-certificate --certificate-arn "$other" --query Certificate --output text > leaf.pem
aws acm get-certificate --certificate-arn "$other" --query CertificateChain --output text > chain.pem
curl -sf "$AWS_ENDPOINT_URL/ca.pem" > ca.pem
diff -B chain.pem ca.pem >&2
verified=$(openssl verify -CAfile ca.pem -verify_hostname orders.example.com leaf.pem)
until [ "$(aws vpc-lattice get-service --service-identifier "$service" --query status --output text)" = ACTIVE ]; do :; done
aws vpc-lattice update-service --service-identifier "$service" --certificate-arn "$other" > /dev/null
aws acm delete-certificate --certificate-arn "$arn"
gone=$(aws acm describe-certificate --certificate-arn "$arn" 2>&1 | grep -o 'ResourceNotFoundException' || true)
listed=$(aws acm list-certificates --certificate-statuses ISSUED --query 'CertificateSummaryList[].[DomainName,InUse]' --output text | tr '\t' ' ')
printf '{"Imported":"%s","Same":"%s","Tags":"%s","Refused":"%s","Record":"%s","Verified":"%s","Gone":"%s","Listed":"%s"}\n' \
  "$imported" "$same" "$tags" "$refused" "$record" "$verified" "$gone" "$listed"
