"""What other hosts need from zrep: rendering their files, and the gate that answers our keys."""
