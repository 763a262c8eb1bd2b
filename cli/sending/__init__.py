"""What `opssage send` is made of: posts, their copies, storms of them, and receipts."""
