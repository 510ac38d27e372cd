# A node that forgets the quotation marks of JSON.
eval "echo READY >&$NODE_CHANNEL_FD"
sleep 1000
