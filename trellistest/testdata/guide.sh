# The guide's commands, Steps 1 to 4 and 6 and Verify, with real ids for its made-up ones.
# TARGETS_VPC, CLIENT_VPC, CLIENT_GROUP, ORG_ID, OU_ARN and DIR come from the test.

# wait_active COMMAND...: waits until a status is ACTIVE, as a script would by hand
wait_active() {
  for _ in $(seq 50); do
    [ "$("$@" --query status --output text)" = ACTIVE ] && return
  done
  echo "not ACTIVE: $*" >&2
  return 1
}

# Step 1
SN_ARN=$(aws vpc-lattice create-service-network \
  --name platform-mesh \
  --auth-type AWS_IAM \
  --query 'arn' --output text)
SVC_ARN=$(aws vpc-lattice create-service \
  --name orders \
  --auth-type AWS_IAM \
  --query 'arn' --output text)

# Step 2
make_group() {
  aws vpc-lattice create-target-group \
    --name "$1" \
    --type IP \
    --config '{
      "port": 8080,
      "protocol": "HTTP",
      "vpcIdentifier": "'"$TARGETS_VPC"'",
      "ipAddressType": "IPV4",
      "healthCheck": {
        "enabled": true,
        "protocol": "HTTP",
        "path": "/healthz",
        "healthyThresholdCount": 3,
        "unhealthyThresholdCount": 2
      }
    }' \
    --query 'arn' --output text
}
TG_ARN=$(make_group orders-ip)
TG_V2_ARN=$(make_group orders-v2)
aws vpc-lattice register-targets \
  --target-group-identifier "$TG_ARN" \
  --targets id=10.0.12.31,port=8080 id=10.0.12.78,port=8080
aws vpc-lattice register-targets \
  --target-group-identifier "$TG_V2_ARN" \
  --targets id=10.0.12.90,port=8080

# Step 3
wait_active aws vpc-lattice get-service --service-identifier "$SVC_ARN"
LISTENER_ARN=$(aws vpc-lattice create-listener \
  --service-identifier "$SVC_ARN" \
  --name http \
  --protocol HTTP --port 80 \
  --default-action '{
    "forward": { "targetGroups": [ { "targetGroupIdentifier": "'"$TG_ARN"'", "weight": 100 } ] }
  }' \
  --query 'arn' --output text)
aws vpc-lattice create-rule \
  --service-identifier "$SVC_ARN" \
  --listener-identifier "$LISTENER_ARN" \
  --name canary-by-header \
  --priority 10 \
  --match '{
    "httpMatch": {
      "headerMatches": [
        { "name": "x-release-channel", "match": { "exact": "canary" } }
      ]
    }
  }' \
  --action '{
    "forward": { "targetGroups": [ { "targetGroupIdentifier": "'"$TG_V2_ARN"'", "weight": 100 } ] }
  }'
# The CLI refuses the word "default" before it sends anything, unless its own checks are off.
printf '[default]\nparameter_validation = false\n' >"$DIR/config"
AWS_CONFIG_FILE=$DIR/config aws vpc-lattice update-rule \
  --service-identifier "$SVC_ARN" \
  --listener-identifier "$LISTENER_ARN" \
  --rule-identifier default \
  --action '{
    "forward": { "targetGroups": [
      { "targetGroupIdentifier": "'"$TG_ARN"'", "weight": 90 },
      { "targetGroupIdentifier": "'"$TG_V2_ARN"'", "weight": 10 }
    ] }
  }'

# Step 4
SNSA=$(aws vpc-lattice create-service-network-service-association \
  --service-network-identifier "$SN_ARN" \
  --service-identifier "$SVC_ARN" --query id --output text)
SNVA=$(aws vpc-lattice create-service-network-vpc-association \
  --service-network-identifier "$SN_ARN" \
  --vpc-identifier "$CLIENT_VPC" \
  --security-group-ids "$CLIENT_GROUP" --query id --output text)

# Step 5
aws ram create-resource-share \
  --name lattice-platform-mesh \
  --resource-arns "$SN_ARN" \
  --principals "$OU_ARN" \
  --permission-arns arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation

# Step 6: the guide's policy for the service; the organization's gate on the network
cat >"$DIR/orders-auth-policy.json" <<'P'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AllowCheckoutToReadOrders",
      "Effect": "Allow",
      "Principal": {
        "AWS": "arn:aws:iam::444455556666:role/checkout-service"
      },
      "Action": "vpc-lattice-svcs:Invoke",
      "Resource": "*",
      "Condition": {
        "StringEquals": { "vpc-lattice-svcs:RequestMethod": "GET" },
        "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::444455556666:role/checkout-service" }
      }
    },
    {
      "Sid": "DenyAnonymous",
      "Effect": "Deny",
      "Principal": "*",
      "Action": "vpc-lattice-svcs:Invoke",
      "Resource": "*",
      "Condition": {
        "BoolIfExists": { "aws:PrincipalIsAWSService": "false" },
        "Null": { "aws:PrincipalArn": "true" }
      }
    }
  ]
}
P
aws vpc-lattice put-auth-policy \
  --resource-identifier "$SVC_ARN" \
  --policy "file://$DIR/orders-auth-policy.json"
aws vpc-lattice put-auth-policy \
  --resource-identifier "$SN_ARN" \
  --policy '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"'"$ORG_ID"'"}}}]}'

# Observability
aws vpc-lattice create-access-log-subscription \
  --resource-identifier "$SVC_ARN" \
  --destination-arn arn:aws:logs:eu-west-1:444455556666:log-group:/aws/vpclattice/orders

# Verify
wait_active aws vpc-lattice get-service-network-service-association --service-network-service-association-identifier "$SNSA"
wait_active aws vpc-lattice get-service-network-vpc-association --service-network-vpc-association-identifier "$SNVA"
for _ in $(seq 30); do
  STATUSES=$(aws vpc-lattice list-targets --target-group-identifier "$TG_ARN" --query 'items[].status' --output text | tr '\t' ' ')
  [ "$STATUSES" = "HEALTHY HEALTHY" ] && break
done
aws vpc-lattice list-targets --target-group-identifier "$TG_ARN" \
  --query 'items[].{ip:id,status:status,reason:reasonCode}' --output table
DNS=$(aws vpc-lattice get-service --service-identifier "$SVC_ARN" \
  --query '{dns:dnsEntry.domainName,auth:authType,status:status}' --output json | python3 -c 'import json,sys; print(json.load(sys.stdin)["dns"])')
ASSOCIATIONS=$(aws vpc-lattice list-service-network-vpc-associations \
  --service-network-identifier "$SN_ARN" --query 'items[].{vpc:vpcId,status:status}' --output text | cut -f1)
echo '{"service":"'"$SVC_ARN"'","dns":"'"$DNS"'","statuses":"'"$STATUSES"'","associations":"'"$ASSOCIATIONS"'"}'
