"""What is copied into a generated package as it is: the bases of its types, and the seam to the network."""
