//! Chance from a seed: the same numbers on every system and with every version of anything
//! (splitmix64).

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }

    /// One of the faces, each as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, faces: &[(usize, T)]) -> T {
        let mut at = self.below(faces.iter().map(|(weight, _)| weight).sum());
        for (weight, face) in faces {
            match at.checked_sub(*weight) {
                None => return *face,
                Some(rest) => at = rest,
            }
        }
        unreachable!("a number below the sum of the weights lies in one of them")
    }
}
