"""What measures the product and makes its pictures and pages; run from the checkout, not installed."""
